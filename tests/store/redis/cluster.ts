import { freePort, startRedis, until, type RedisProgram, type RedisServer } from './servers.ts';

/** A cluster for tests: three masters, and replicas of the first one on request. */
export interface RedisCluster {
  readonly masters: readonly RedisServer[];
  readonly replicas: readonly RedisServer[];
  readonly url: string;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const OPTIONS = {
  'cluster-enabled': 'yes',
  'cluster-node-timeout': '1000',
  'cluster-allow-replica-migration': 'no',
};

interface Node {
  readonly server: RedisServer;
  readonly busPort: number;
}

interface ClusterOptions {
  readonly replicas?: number;
  readonly program?: RedisProgram;
}

export async function startCluster({ replicas = 0, program }: ClusterOptions = {}): Promise<RedisCluster> {
  const nodes = await Promise.all(Array.from({ length: 3 + replicas }, () => startNode(program)));
  try {
    return await join(nodes);
  } catch (error) {
    await Promise.all(nodes.map(({ server }) => server.stop()));
    throw error;
  }
}

async function join(nodes: readonly Node[]): Promise<RedisCluster> {
  const masters = nodes.slice(0, 3).map(({ server }) => server);
  const replicas = nodes.slice(3).map(({ server }) => server);
  const servers = [...masters, ...replicas];
  for (const [i, server] of servers.entries()) {
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', `${i + 1}`);
  }
  for (const [i, { server }] of nodes.entries()) {
    const { server: other, busPort } = nodes[(i + 1) % nodes.length]!;
    await server.command('CLUSTER', 'MEET', '127.0.0.1', `${other.port}`, `${busPort}`);
  }
  for (const [i, master] of masters.entries()) {
    const [from, to] = [i, i + 1].map((n) => Math.floor((SLOTS * n) / 3));
    await master.command('CLUSTER', 'ADDSLOTSRANGE', `${from!}`, `${to! - 1}`);
  }
  const first = String(await masters[0]!.command('CLUSTER', 'MYID'));
  for (const replica of replicas) {
    await until(async () => String(await replica.command('CLUSTER', 'NODES')).includes(first));
    await replica.command('CLUSTER', 'REPLICATE', first);
  }
  for (const server of servers) await until(() => isWhole(server, servers.length));
  for (const replica of replicas) await until(() => isInSync(replica));
  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  return { masters, replicas, url: masters[0]!.url, stop };
}

async function startNode(program: RedisProgram | undefined): Promise<Node> {
  // By default the port of the cluster bus is the node's plus 10,000, which may be out of range.
  const busPort = await freePort();
  return { server: await startRedis({ ...OPTIONS, 'cluster-port': `${busPort}` }, program), busPort };
}

async function isWhole(server: RedisServer, nodes: number): Promise<boolean> {
  const info = String(await server.command('CLUSTER', 'INFO'));
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes}`);
}

export async function isInSync(replica: RedisServer): Promise<boolean> {
  return String(await replica.command('INFO', 'replication')).includes('master_link_status:up');
}

/**
 * `master`, `slave`, or `unknown` while the server cannot be asked: it closes all connections when its role changes.
 */
export async function roleOf(server: RedisServer): Promise<string> {
  return String(await server.command('ROLE').catch(() => 'unknown')).split(',')[0]!;
}

/** Has a sentinel promote the replica of a master. It refuses until it knows one that is in sync. */
export async function failOver(
  sentinel: RedisServer,
  name: string,
  { master, replica }: Readonly<Record<'master' | 'replica', RedisServer>>,
): Promise<void> {
  await until(async () => {
    const started = await sentinel.command('SENTINEL', 'FAILOVER', name).catch(() => undefined);
    return started !== undefined;
  });
  await until(async () => (await roleOf(replica)) === 'master');
  await until(async () => (await roleOf(master)) === 'slave');
}
