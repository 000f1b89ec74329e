import { ConfigurationError } from '../../shared/errors.ts';
import { milliseconds } from '../../shared/option-spec.ts';
import { checkNames } from '../../shared/check-options.ts';
import type {
  AnyClient,
  IoRedisClient,
  IoRedisCluster,
  RedisClient,
  RedisCluster,
  RedisSentinel,
} from './clients.ts';

const KEY_PREFIX = 'durable-proxy:';
const RIGHT = "redisStore({ url: 'redis://localhost:6379' }) or redisStore({ client: createClient(…) })";

interface CommonOptions {
  /**
   * Prefix of all keys and channels; no braces. Stores with the same prefix on the same Redis share their streams.
   * Default `durable-proxy:`.
   */
  readonly keyPrefix?: string;
  /** Milliseconds after which an operation fails if Redis has not replied. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /**
   * Milliseconds that a write to a running stream waits for Redis before the stream ends `interrupted`. Must be longer
   * than a failover: Redis Cluster takes about 15 s by default. Default 30,000.
   */
  readonly appendTimeoutMs?: number;
}

/** Options of `redisStore` with the URL of a server or cluster. */
export interface RedisUrlOptions extends CommonOptions {
  /**
   * URL of a server or of any node of a cluster: `redis[s]://[[user][:password]@]host[:port][/database]`. Needs the
   * package `redis` (`npm install redis`).
   */
  readonly url: string;
}

/** Options of `redisStore` with a client of the package `redis` or `ioredis`. */
export interface RedisClientOptions extends CommonOptions {
  /**
   * A client of the package `redis` (5), from `createClient`, `createCluster` or `createSentinel`. The store connects
   * it if it is not connected, sends its commands through it, and opens its own connections for messages with the same
   * options. `dispose` closes the client only if the store connected it.
   *
   * Or a client of the package `ioredis` (5.6 or later), from `new Redis()`, also with `sentinels`, or `new
   * Redis.Cluster()`. The store opens its own connections with the client's options, and does not use the client
   * itself. The client's `keyPrefix` is ignored: set the `keyPrefix` of the store.
   */
  readonly client: AnyClient;
}

/** Options of `redisStore`: either `url` or `client`. */
export type RedisStoreOptions = RedisUrlOptions | RedisClientOptions;

export type CheckedOptions = {
  readonly keyPrefix: string;
  readonly requestTimeoutMs: number;
  readonly appendTimeoutMs: number;
} & (
  | { readonly url: string }
  | { readonly kind: 'client'; readonly client: RedisClient }
  | { readonly kind: 'cluster'; readonly client: RedisCluster }
  | { readonly kind: 'sentinel'; readonly client: RedisSentinel }
  | { readonly kind: 'ioredis'; readonly client: IoRedisClient }
  | { readonly kind: 'ioredis-cluster'; readonly client: IoRedisCluster }
);

/** @throws ConfigurationError with an example and without credentials. */
export function checkOptions(options: RedisStoreOptions): CheckedOptions {
  checkNames(
    'redisStore',
    ['url', 'client', 'keyPrefix', 'requestTimeoutMs', 'appendTimeoutMs'],
    options,
    RIGHT,
  );
  const {
    url,
    client,
    keyPrefix = KEY_PREFIX,
    requestTimeoutMs = 10_000,
    appendTimeoutMs = 30_000,
  } = options as Partial<RedisUrlOptions & RedisClientOptions>;
  if (typeof keyPrefix !== 'string' || /[{}]/.test(keyPrefix)) {
    throw wrong('keyPrefix must be a string without braces (in a cluster, braces select the slot)');
  }
  if ((url === undefined) === (client === undefined)) throw wrong('either url or client is required');
  const time = milliseconds({ fallback: 10_000 });
  const common = {
    keyPrefix,
    requestTimeoutMs: time.check('requestTimeoutMs', requestTimeoutMs),
    appendTimeoutMs: time.check('appendTimeoutMs', appendTimeoutMs),
  };
  if (url !== undefined) return Object.freeze({ ...common, url: checkUrl(url) });
  return Object.freeze({ ...common, ...kindOf(client) });
}

function checkUrl(url: unknown): string {
  const protocol = typeof url === 'string' && URL.canParse(url) ? new URL(url).protocol : undefined;
  if (protocol !== 'redis:' && protocol !== 'rediss:')
    throw wrong('url must begin with redis:// or rediss://');
  return url as string;
}

function kindOf(client: AnyClient | undefined) {
  const has = (name: string) => typeof client === 'object' && client !== null && name in client;
  if (has('callBuffer') && has('duplicate')) {
    return (client as IoRedisCluster).isCluster
      ? ({ kind: 'ioredis-cluster', client: client as IoRedisCluster } as const)
      : ({ kind: 'ioredis', client: client as IoRedisClient } as const);
  }
  if (has('nodeClient') && has('slots')) return { kind: 'cluster', client: client as RedisCluster } as const;
  if (has('getSentinelNode')) return { kind: 'sentinel', client: client as RedisSentinel } as const;
  if (has('sSubscribe') && has('duplicate'))
    return { kind: 'client', client: client as RedisClient } as const;
  throw wrong(
    'client must be created by createClient, createCluster or createSentinel of the package redis 5, or be a Redis or Cluster of ioredis 5.6 or later',
  );
}

function wrong(reason: string): ConfigurationError {
  return new ConfigurationError(`redisStore: ${reason}. Example: ${RIGHT}`);
}
