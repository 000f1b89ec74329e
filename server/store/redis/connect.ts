import { ConfigurationError } from '../../shared/errors.ts';
import { StoreError } from '../types.ts';
import { backoffMs, pause } from './backoff.ts';
import type { RedisClient } from './clients.ts';
import { ClusterConnection } from './cluster.ts';
import type { Connection } from './connection.ts';
import { isPassing, replyCode, unavailable } from './failures.ts';
import type { CheckedOptions } from './options.ts';
import { SentinelConnection } from './sentinel.ts';
import { StandaloneConnection } from './standalone.ts';
import { ignore, PING_MS, SILENCE_MS } from './subscriber.ts';

/** Milliseconds that Redis is given to be there when the store opens. */
const OPEN_MS = 9_500;
/** Scripts with flags and sharded channels came with this version; every Valkey has them. */
const OLDEST_MAJOR = 7;
/** Replies to a wrong password or a missing right: trying again changes nothing. */
const REFUSALS = new Set(['WRONGPASS', 'NOAUTH', 'NOPERM']);

/**
 * Opens what the options describe.
 * @throws StoreError `UNAVAILABLE`; ConfigurationError when a package is missing, or Redis is too old or of
 *   another kind. Nothing is left open then.
 */
export async function connect(options: CheckedOptions, onGap: () => void): Promise<Connection> {
  const signal = AbortSignal.timeout(OPEN_MS);
  if ('url' in options) return connectTo(options.url, signal, onGap);
  switch (options.kind) {
    case 'cluster':
      return (await opened(new ClusterConnection(options.client, onGap), signal)).connection;
    case 'sentinel':
      return (await opened(new SentinelConnection(options.client, onGap), signal)).connection;
    case 'client': {
      const { connection, isCluster } = await opened(
        new StandaloneConnection(options.client, false, onGap),
        signal,
      );
      if (!isCluster) return connection;
      await connection.close();
      throw new ConfigurationError(
        'redisStore: this is a node of a cluster, whose client createCluster makes',
      );
    }
  }
}

async function connectTo(url: string, signal: AbortSignal, onGap: () => void): Promise<Connection> {
  try {
    return await connectByUrl(url, signal, onGap);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { protocol, host, pathname } = new URL(url);
    // Without the credentials of the URL.
    throw new StoreError(error.code, `${protocol}//${host}${pathname}: ${error.message}`, { cause: error });
  }
}

async function connectByUrl(url: string, signal: AbortSignal, onGap: () => void): Promise<Connection> {
  const { createClient, createCluster } = await loadRedis();
  const socket = { reconnectStrategy: backoffMs, socketTimeout: SILENCE_MS };
  const settings = { name: 'durable-proxy', pingInterval: PING_MS };
  const client: RedisClient = createClient({ url, ...settings, socket: { ...socket } });
  const { connection, isCluster } = await opened(
    new StandaloneConnection(client, true, onGap),
    signal,
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
  return (await opened(new ClusterConnection(cluster, onGap), signal)).connection;
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

async function opened(connection: Connection, signal: AbortSignal, troubles?: Troubles) {
  try {
    const opening = connection.open(signal);
    await (troubles ? Promise.race([opening, troubles.refused]) : opening);
    return { connection, isCluster: await checkServer(connection, signal) };
  } catch (error) {
    await connection.close();
    if (error instanceof ConfigurationError) throw error;
    throw unavailable((signal.aborted && troubles?.last()) || error);
  }
}

/** Refuses a Redis that is too old, and tells whether it is part of a cluster. */
async function checkServer(connection: Connection, signal: AbortSignal): Promise<boolean> {
  const info = await infoOf(connection, signal);
  const major = Number(/^redis_version:(\d+)/m.exec(info)?.[1] ?? OLDEST_MAJOR);
  if (major < OLDEST_MAJOR) {
    throw new ConfigurationError(
      `redisStore: needs Redis ${OLDEST_MAJOR} or newer, or Valkey; this is ${major}`,
    );
  }
  return /^(redis|server)_mode:cluster/m.test(info);
}

async function infoOf(connection: Connection, signal: AbortSignal): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await connection.info(signal);
    } catch (error) {
      // A user who may not ask may still do all that the store needs.
      if (replyCode(error) === 'NOPERM') return '';
      if (signal.aborted || !isPassing(error)) throw error;
      await pause(attempt, signal);
    }
  }
}
