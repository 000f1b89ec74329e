import { EventEmitter } from 'node:events';
import { raceSignal } from '../../shared/race-signal.ts';
import { backoffMs } from './backoff.ts';
import type { IoRedisClient, RedisClient, RedisCommandOptions, RedisListener } from './clients.ts';
import { ignore, PING_MS, SILENCE_MS } from './subscriber.ts';

/**
 * Options of our own connections; they override the client's. ioredis never repeats a command, because it does not know
 * its deadline: `Requests` repeats it. Keys have only the prefix of the store, because scripts build the names of
 * channels from them.
 */
export const OWN_CONNECTION: object = Object.freeze({
  lazyConnect: true,
  protocol: 2,
  keyPrefix: '',
  stringNumbers: false,
  enableAutoPipelining: false,
  enableOfflineQueue: false,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  // Rejects commands that a broken connection has not answered. They would stay pending without it.
  maxRetriesPerRequest: 0,
  commandTimeout: undefined,
  socketTimeout: SILENCE_MS,
  retryStrategy: backoffMs,
  // After a failover, the old master rejects writes.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
});

type Kind = '' | 's';

/**
 * A connection of our own with the options of an ioredis client, in the shape of a node-redis client, so that the same
 * code serves both.
 */
export class IoRedisConnection extends EventEmitter implements RedisClient {
  readonly options = undefined;
  readonly #redis: IoRedisClient;
  readonly #listeners: Readonly<Record<Kind, Map<string, Set<RedisListener>>>> = {
    '': new Map(),
    s: new Map(),
  };
  #isOpen = false;
  #isReady = false;
  #pings: NodeJS.Timeout | undefined;

  /** @param like a client of the app. Only its options are used. */
  constructor(like: IoRedisClient) {
    super();
    this.#redis = like.duplicate(OWN_CONNECTION);
    this.#redis.on('ready', () => void this.#begin());
    this.#redis.on('close', () => (this.#isReady = false));
    this.#redis.on('error', (error) => this.listenerCount('error') > 0 && this.emit('error', error));
    // A cluster node no longer has the slot of a channel.
    this.#redis.on('moved', () => this.emit('__MOVED'));
    for (const kind of ['', 's'] as const) {
      this.#redis.on(`${kind}messageBuffer`, (channel, message) => {
        for (const listener of this.#listeners[kind].get(String(channel)) ?? []) listener(message as Buffer);
      });
    }
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Resolves once it is connected, even if earlier attempts fail. */
  async connect(): Promise<void> {
    this.#isOpen = true;
    this.#pings = setInterval(() => this.#ping(), PING_MS).unref();
    const ready = this.#whenReady();
    if (this.#redis.status === 'wait' || this.#redis.status === 'end') this.#redis.connect().catch(ignore);
    await ready;
  }

  destroy(): void {
    this.#isOpen = false;
    this.#isReady = false;
    clearInterval(this.#pings);
    this.#redis.disconnect();
  }

  duplicate(): RedisClient {
    return new IoRedisConnection(this.#redis);
  }

  async sendCommand(args: readonly (string | Buffer)[], options?: RedisCommandOptions): Promise<unknown> {
    const { abortSignal, typeMapping } = options ?? {};
    if (!this.#isReady) await (abortSignal ? raceSignal(this.#whenReady(), abortSignal) : this.#whenReady());
    const [name, ...rest] = args;
    return this.#redis[typeMapping ? 'callBuffer' : 'call'](String(name).toLowerCase(), rest);
  }

  subscribe(channel: string, listener: RedisListener): Promise<void> {
    return this.#add('', channel, listener);
  }

  unsubscribe(channel: string, listener: RedisListener): Promise<void> {
    return this.#remove('', channel, listener);
  }

  sSubscribe(channel: string, listener: RedisListener): Promise<void> {
    return this.#add('s', channel, listener);
  }

  sUnsubscribe(channel: string, listener: RedisListener): Promise<void> {
    return this.#remove('s', channel, listener);
  }

  /** Subscribes again before it reports `ready`, so that a listener of `ready` misses no later message. */
  async #begin(): Promise<void> {
    try {
      for (const kind of ['', 's'] as const) {
        for (const channel of this.#listeners[kind].keys()) {
          await this.#redis.call(`${kind}subscribe`, [channel]);
        }
      }
    } catch {
      // The connection broke, and another `ready` follows, or a slot has moved, which `moved` reports.
      if (this.#redis.status !== 'ready') return;
    }
    this.#isReady = this.#redis.status === 'ready';
    if (this.#isReady) this.emit('ready');
  }

  async #add(kind: Kind, channel: string, listener: RedisListener): Promise<void> {
    const listeners = this.#listeners[kind];
    const ofChannel = listeners.get(channel) ?? new Set();
    listeners.set(channel, ofChannel.add(listener));
    try {
      if (this.#isReady) await this.#redis.call(`${kind}subscribe`, [channel]);
      else await this.#whenReady();
    } catch (error) {
      await this.#remove(kind, channel, listener).catch(ignore);
      throw error;
    }
  }

  async #remove(kind: Kind, channel: string, listener: RedisListener): Promise<void> {
    const listeners = this.#listeners[kind];
    const ofChannel = listeners.get(channel);
    if (!ofChannel?.delete(listener) || ofChannel.size > 0) return;
    listeners.delete(channel);
    if (this.#isReady) await this.#redis.call(`${kind}unsubscribe`, [channel]);
  }

  #whenReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isReady) return resolve();
      if (!this.#isOpen) return reject(new Error('the connection is closed'));
      this.once('ready', resolve);
    });
  }

  /** Sends a ping. A missing reply (`socketTimeout`) shows that an idle connection is dead. */
  #ping(): void {
    if (this.#isReady) this.#redis.call('ping', []).catch(ignore);
  }
}
