/**
 * The parts of node-redis 5 and ioredis that the store uses, typed structurally. A client fits whatever modules,
 * scripts and protocol it was created with, and the types of this package do not need those of an optional one.
 */

interface Emitter {
  on(event: string, listener: (argument: unknown) => void): unknown;
  off(event: string, listener: (argument: unknown) => void): unknown;
}

/** Options of a command, as node-redis has them. */
export interface RedisCommandOptions {
  readonly typeMapping?: Readonly<Record<number, unknown>>;
  readonly abortSignal?: AbortSignal;
}

/**
 * Receives the payload of a pub/sub message.
 * @param message payload, as bytes.
 */
export type RedisListener = (message: Buffer) => void;

/** Result of `createClient`. */
export interface RedisClient extends Emitter {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  readonly options: { readonly socket?: object } | undefined;
  connect(): Promise<unknown>;
  destroy(): void;
  duplicate(overrides?: object): RedisClient;
  sendCommand(args: readonly (string | Buffer)[], options?: RedisCommandOptions): Promise<unknown>;
  subscribe(channel: string, listener: RedisListener, bufferMode: true): Promise<void>;
  unsubscribe(channel: string, listener: RedisListener, bufferMode: true): Promise<void>;
  sSubscribe(channel: string, listener: RedisListener, bufferMode: true): Promise<void>;
  sUnsubscribe(channel: string, listener: RedisListener, bufferMode: true): Promise<void>;
}

/** A master of a cluster. */
export interface RedisClusterNode {
  readonly address: string;
  readonly client?: RedisClient | undefined;
}

/** Result of `createCluster`. */
export interface RedisCluster extends Emitter {
  readonly isOpen: boolean;
  readonly slots: readonly { readonly master: RedisClusterNode }[];
  readonly masters: readonly RedisClusterNode[];
  /** Refreshes the slot table. node-redis does so by itself only on `MOVED`, not when a node is dead. */
  readonly _slots?: { rediscover?(startWith: RedisClient): Promise<void> };
  connect(): Promise<unknown>;
  destroy(): void;
  nodeClient(node: RedisClusterNode): Promise<RedisClient>;
  sendCommand(
    firstKey: string,
    isReadonly: boolean,
    args: (string | Buffer)[],
    options?: RedisCommandOptions,
  ): Promise<unknown>;
}

/** Result of `createSentinel`. */
export interface RedisSentinel extends Emitter {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  destroy(): Promise<void>;
  getSentinelNode(): unknown;
  subscribe(channel: string, listener: RedisListener, bufferMode: true): Promise<void>;
  unsubscribe(
    channel: string,
    listener: (message: string | Buffer) => void,
    bufferMode: true,
  ): Promise<unknown>;
  sendCommand(
    isReadonly: boolean,
    args: (string | Buffer)[],
    options?: RedisCommandOptions,
  ): Promise<unknown>;
}

/**
 * The parts of ioredis (5.6 or later) that the store uses: the result of `new Redis()`, for one server or with
 * `sentinels`.
 */
export interface IoRedisClient {
  /** `wait`, `connecting`, `connect`, `ready`, `close`, `reconnecting` or `end`. */
  readonly status: string;
  connect(): Promise<unknown>;
  disconnect(): void;
  duplicate(overrides?: object): IoRedisClient;
  call(command: string, args: (string | Buffer)[]): Promise<unknown>;
  callBuffer(command: string, args: (string | Buffer)[]): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** The parts of ioredis' `new Redis.Cluster()` that the store uses. */
export interface IoRedisCluster {
  readonly isCluster: boolean;
  readonly status: string;
  readonly options: object;
  connect(): Promise<unknown>;
  disconnect(): void;
  duplicate(startupNodes?: never[], options?: object): IoRedisCluster;
  nodes(role: 'master'): IoRedisClient[];
  callBuffer(command: string, args: (string | Buffer)[]): Promise<unknown>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  once(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** A client that `redisStore` accepts. */
export type AnyClient = RedisClient | RedisCluster | RedisSentinel | IoRedisClient | IoRedisCluster;
