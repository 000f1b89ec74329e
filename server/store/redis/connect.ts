import { ConfigurationError } from '../../shared/errors.ts';
import { isStoreError } from '../is-store-error.ts';
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

/** Milliseconds within which Redis must be reachable when the store opens. */
const OPEN_MS = 9_500;
/** First version with script flags and sharded channels. Every Valkey version has them. */
const OLDEST_MAJOR = 7;
/** One attempt to open the store. */
interface Attempt {
  readonly signal: AbortSignal;
  readonly keyPrefix: string;
}

/** Replies to a wrong password or a missing permission. A retry would not help. */
const REFUSALS = new Set(['WRONGPASS', 'NOAUTH', 'NOPERM']);

/**
 * Opens the connection that the options describe.
 * @throws StoreError `UNAVAILABLE`; ConfigurationError if a package is missing, or if Redis is too old or of another
 *   kind. No connection is left open then.
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
    if (!isStoreError(error)) throw error;
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
    // Otherwise each refresh of the slot table waits for every node, and for a node that is down until it returns.
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
  /** Rejects if Redis refuses the connection permanently. */
  readonly refused: Promise<never>;
  last(): unknown;
}

/** Collects the errors of a client that is connecting. The client reports them as events only, and keeps trying. */
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

/** Rejects a server that is too old or does not run the scripts. @returns true if it is part of a cluster. */
async function checkServer(connection: Connection, attempt: Attempt): Promise<boolean> {
  const { signal, keyPrefix } = attempt;
  const info = await patiently(signal, () => connection.info(signal)).catch((error: unknown) => {
    // A user without the permission for INFO may still have all permissions that the store needs.
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
  // A connection to a single node of a cluster rejects keys of other nodes. This connection is replaced below.
  if (!isCluster || connection.publish === 'SPUBLISH')
    await patiently(signal, () => checkScripts({ connection, info, keyPrefix, signal }));
  return isCluster;
}

/** Retries after temporary failures, such as a server that is still loading its data. */
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
