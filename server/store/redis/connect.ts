import { ConfigurationError } from '../../shared/errors.ts';
import { StoreError } from '../types.ts';
import { backoffMs, pause } from './backoff.ts';
import type { RedisClient } from './clients.ts';
import { ClusterConnection } from './cluster.ts';
import type { Connection } from './connection.ts';
import { checkScripts } from './check-scripts.ts';
import { isPassing, replyCode, unavailable } from './failures.ts';
import { IoRedisClusterConnection } from './ioredis-cluster.ts';
import { IoRedisConnection } from './ioredis.ts';
import type { CheckedOptions } from './options.ts';
import { SentinelConnection } from './sentinel.ts';
import { StandaloneConnection } from './standalone.ts';
import { ignore, PING_MS, SILENCE_MS } from './subscriber.ts';

/** Milliseconds that Redis is given to be there when the store opens. */
const OPEN_MS = 9_500;
/** Scripts with flags and sharded channels came with this version; every Valkey has them. */
const OLDEST_MAJOR = 7;
/** One attempt to open the store. */
interface Attempt {
  readonly signal: AbortSignal;
  readonly keyPrefix: string;
}

/** Replies to a wrong password or a missing right: trying again changes nothing. */
const REFUSALS = new Set(['WRONGPASS', 'NOAUTH', 'NOPERM']);

/**
 * Opens what the options describe.
 * @throws StoreError `UNAVAILABLE`; ConfigurationError when a package is missing, or Redis is too old or of
 *   another kind. Nothing is left open then.
 */
export async function connect(options: CheckedOptions, onGap: () => void): Promise<Connection> {
  const attempt = { signal: AbortSignal.timeout(OPEN_MS), keyPrefix: options.keyPrefix };
  if ('url' in options) return connectTo(options.url, attempt, onGap);
  switch (options.kind) {
    case 'cluster':
      return (await opened(new ClusterConnection(options.client, onGap), attempt)).connection;
    case 'sentinel':
      return (await opened(new SentinelConnection(options.client, onGap), attempt)).connection;
    case 'client':
      return openServer(options.client, false);
    case 'ioredis':
      return openServer(new IoRedisConnection(options.client), true);
    case 'ioredis-cluster':
      return (await opened(new IoRedisClusterConnection(options.client, onGap), attempt)).connection;
  }

  async function openServer(client: RedisClient, ours: boolean): Promise<Connection> {
    const troubles = ours ? troublesOf(client) : undefined;
    const standalone = new StandaloneConnection(client, ours, onGap);
    const { connection, isCluster } = await opened(standalone, attempt, troubles);
    if (!isCluster) return connection;
    await connection.close();
    throw new ConfigurationError(
      'redisStore: this is a node of a cluster. Create its client with createCluster of the package redis, or with ' +
        'new Redis.Cluster of ioredis',
    );
  }
}

async function connectTo(url: string, attempt: Attempt, onGap: () => void): Promise<Connection> {
  try {
    return await connectByUrl(url, attempt, onGap);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { protocol, host, pathname } = new URL(url);
    // Without the credentials of the URL.
    throw new StoreError(error.code, `${protocol}//${host}${pathname}: ${error.message}`, { cause: error });
  }
}

async function connectByUrl(url: string, attempt: Attempt, onGap: () => void): Promise<Connection> {
  const { createClient, createCluster } = await loadRedis();
  const socket = { reconnectStrategy: backoffMs, socketTimeout: SILENCE_MS };
  const settings = { name: 'durable-proxy', pingInterval: PING_MS };
  const client: RedisClient = createClient({ url, ...settings, socket: { ...socket } });
  const { connection, isCluster } = await opened(
    new StandaloneConnection(client, true, onGap),
    attempt,
    troublesOf(client),
  );
  if (!isCluster) return connection;
  await connection.close();
  const { username, password, protocol } = new URL(url);
  const cluster = createCluster({
    rootNodes: [{ url }],
    // Else it waits for every node whenever it looks who has which slots, for one that is down until it is up.
    minimizeConnections: true,
    defaults: {
      ...settings,
      socket: protocol === 'rediss:' ? { ...socket, tls: true } : socket,
      ...(username && { username: decodeURIComponent(username) }),
      ...(password && { password: decodeURIComponent(password) }),
    },
  });
  return (await opened(new ClusterConnection(cluster, onGap), attempt)).connection;
}

async function loadRedis() {
  try {
    return await import('redis');
  } catch (error) {
    throw new ConfigurationError('redisStore({ url }) needs the package redis: npm install redis', {
      cause: error,
    });
  }
}

interface Troubles {
  /** Rejects when Redis refuses us for good. */
  readonly refused: Promise<never>;
  last(): unknown;
}

/** What goes wrong while a client connects: it tells in events only, and tries on. */
function troublesOf(client: RedisClient): Troubles {
  let last: unknown;
  const refused = new Promise<never>((_, reject) => {
    client.on('error', (error) => {
      last = error;
      if (error instanceof Error && REFUSALS.has(replyCode(error) ?? '')) reject(error);
    });
  });
  refused.catch(ignore);
  return { refused, last: () => last };
}

async function opened(connection: Connection, attempt: Attempt, troubles?: Troubles) {
  const { signal } = attempt;
  try {
    const opening = connection.open(signal);
    await (troubles ? Promise.race([opening, troubles.refused]) : opening);
    return { connection, isCluster: await checkServer(connection, attempt) };
  } catch (error) {
    await connection.close();
    if (error instanceof ConfigurationError) throw error;
    throw unavailable((signal.aborted && troubles?.last()) || error);
  }
}

/** Refuses a server that is too old or does not run the scripts, and tells whether it is part of a cluster. */
async function checkServer(connection: Connection, attempt: Attempt): Promise<boolean> {
  const { signal, keyPrefix } = attempt;
  const info = await patiently(signal, () => connection.info(signal)).catch((error: unknown) => {
    // A user who may not ask may still do all that the store needs.
    if (replyCode(error) === 'NOPERM') return '';
    throw error;
  });
  const major = Number(/^redis_version:(\d+)/m.exec(info)?.[1] ?? OLDEST_MAJOR);
  if (major < OLDEST_MAJOR) {
    throw new ConfigurationError(
      `redisStore: needs Redis ${OLDEST_MAJOR} or newer, or Valkey; this is ${major}`,
    );
  }
  const isCluster = /^(redis|server)_mode:cluster/m.test(info);
  // A cluster refuses keys of other nodes on the connection to a single one, which is about to be replaced.
  if (!isCluster || connection.publish === 'SPUBLISH')
    await patiently(signal, () => checkScripts({ connection, info, keyPrefix, signal }));
  return isCluster;
}

/** Repeats what a moment changes, such as a server that is loading. */
async function patiently<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 0; ; attempts += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || error instanceof ConfigurationError || !isPassing(error)) throw error;
      await pause(attempts, signal);
    }
  }
}
