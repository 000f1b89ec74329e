import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandPath } from '../../tests/requirements.ts';
import { freePort } from '../../tests/store/redis/servers.ts';
import { ServerProcess, type Usage } from '../processes.ts';
import { BENCH_SECRET, type Source } from '../read.ts';

export const PEER_NAMES = [
  'no proxy',
  'express pass-through',
  'resumable-stream + Redis',
  'durable-proxy, disk',
  'durable-proxy, process',
  'durable-proxy + Redis',
  'durable-proxy + Durable Streams',
  'express that frames',
  'express that flushes',
  'express that appends to Durable Streams',
] as const;
/** Two proxies in one process and on one store, the second of which has `completeness: 'off'`, or an inspector. */
export const TWICE = 'durable-proxy, disk, twice';
export const INSPECTED = 'durable-proxy, disk, inspected';
/** With an OpenTelemetry SDK that samples all traces or one in ten, and the same process without it. */
export const TELEMETRY = 'durable-proxy, all traces';
export const TELEMETRY_SAMPLED = 'durable-proxy, one trace in ten';
export const WITHOUT_TELEMETRY = 'durable-proxy, no telemetry';
const TRACED_SHARES = { [TELEMETRY]: '1', [TELEMETRY_SAMPLED]: '0.1', [WITHOUT_TELEMETRY]: 'none' };
/** The middleware and the web handler in their frameworks, and a pass-through behind Hono's adapter. */
export const IN_EXPRESS = 'durable-proxy in Express';
export const IN_HONO = 'durable-proxy in Hono';
export const HONO_PASS = 'Hono pass-through';
export type PeerName =
  | (typeof PEER_NAMES)[number]
  | typeof TWICE
  | typeof INSPECTED
  | keyof typeof TRACED_SHARES
  | typeof IN_EXPRESS
  | typeof IN_HONO
  | typeof HONO_PASS;

/** A server between the reader and the upstream. */
export interface Peer extends Source {
  readonly name: PeerName;
  /** Of `TWICE` and `INSPECTED`: the second proxy. */
  readonly secondUrl: string | undefined;
  /**
   * Starts measuring the resources of all its processes.
   * @returns a function that returns the usage since then.
   */
  watch(): () => Usage;
  /** Restricts all its processes to some cores. */
  pin(cores: string): void;
  stop(): Promise<void>;
}

export async function startPeer(name: PeerName): Promise<Peer> {
  switch (name) {
    case 'no proxy':
      return peer(name, undefined, []);
    case 'express pass-through':
      return peer(name, await ServerProcess.node('./peers/express-server.ts', []), []);
    case HONO_PASS:
      return peer(name, await inFramework(['hono-pass']), []);
    case IN_EXPRESS:
    case IN_HONO: {
      const folder = await temporaryFolder();
      const server = await inFramework([name === IN_HONO ? 'hono' : 'express', folder.path]);
      return peer(name, server, [], folder.remove);
    }
    case 'express that frames':
      return peer(name, await ServerProcess.node('./peers/express-server.ts', ['frame']), []);
    case 'express that flushes': {
      const folder = await temporaryFolder();
      const args = ['flush', join(folder.path, 'chunks')];
      return peer(name, await ServerProcess.node('./peers/express-server.ts', args), [], folder.remove);
    }
    case 'express that appends to Durable Streams': {
      const backend = await ServerProcess.node('./peers/durable-streams-server.ts', []);
      const url = `${backend.url}/`;
      return peer(name, await ServerProcess.node('./peers/express-server.ts', ['append', url]), [backend]);
    }
    case 'resumable-stream + Redis': {
      const redis = await redisProcess();
      return peer(name, await ServerProcess.node('./peers/resumable-server.ts', [redis.url]), [redis]);
    }
    case 'durable-proxy + Redis': {
      const redis = await redisProcess();
      return peer(name, await ours(['redis', redis.url]), [redis]);
    }
    case 'durable-proxy + Durable Streams': {
      const backend = await ServerProcess.node('./peers/durable-streams-server.ts', []);
      return peer(name, await ours(['durable-streams', backend.url]), [backend]);
    }
    case TELEMETRY:
    case TELEMETRY_SAMPLED:
    case WITHOUT_TELEMETRY: {
      const folder = await temporaryFolder();
      const args = [folder.path, TRACED_SHARES[name]];
      const server = await durableServer('./peers/telemetry-server.ts', args);
      return peer(name, server, [], folder.remove);
    }
    case 'durable-proxy, disk':
    case 'durable-proxy, process':
    case INSPECTED:
    case TWICE: {
      const folder = await temporaryFolder();
      const durability = name.endsWith('process') ? 'process' : 'disk';
      const second = name === TWICE ? ['completeness-off'] : name === INSPECTED ? ['inspector'] : [];
      const args = ['embedded', folder.path, durability, ...second];
      return peer(name, await ours(args), [], folder.remove);
    }
  }
}

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'durable-proxy-bench-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

const ours = (args: string[]) => durableServer('./peers/our-server.ts', args);
const inFramework = (args: string[]) => durableServer('./peers/framework-server.ts', args);

/** With `BENCH_PROFILE=<folder>`, each of our servers writes a CPU profile there when it stops. */
function durableServer(file: string, args: string[]): Promise<ServerProcess> {
  const folder = process.env['BENCH_PROFILE'];
  const flags = folder ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [];
  return ServerProcess.node(file, args, { BENCH_SECRET }, flags);
}

/** Keeps nothing on disk, like the peer that it is compared with. */
export async function redisProcess(): Promise<ServerProcess> {
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const ready = /Ready to accept connections/;
  return ServerProcess.start(commandPath('redis-server'), args, ready, {}, `redis://127.0.0.1:${port}`);
}

function peer(
  name: PeerName,
  server: ServerProcess | undefined,
  others: readonly ServerProcess[],
  cleanUp?: () => Promise<void>,
): Peer {
  const processes = [...(server ? [server] : []), ...others];
  const ours = name.startsWith('durable-proxy');
  const { url, secondUrl } = server ?? {};
  return {
    name,
    durable: ours || name === 'express that frames',
    url: ours ? `${url}/v1/proxy` : url,
    secondUrl: secondUrl && `${secondUrl}/v1/proxy`,
    watch() {
      const watches = processes.map((each) => each.watch());
      return () => {
        const all = watches.map((used) => used());
        const sum = (field: keyof Usage) => all.reduce((total, usage) => total + usage[field], 0);
        return {
          cpuSeconds: sum('cpuSeconds'),
          mainSeconds: sum('mainSeconds'),
          residentBytes: sum('residentBytes'),
          peakBytes: sum('peakBytes'),
        };
      };
    },
    pin(cores) {
      for (const each of processes) each.pin(cores);
    },
    async stop() {
      for (const each of processes) await each.stop();
      await cleanUp?.();
    },
  };
}
