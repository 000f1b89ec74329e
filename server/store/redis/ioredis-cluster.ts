import { raceSignal } from '../../shared/race-signal.ts';
import { backoffMs } from './backoff.ts';
import type { IoRedisClient, IoRedisCluster, RedisClusterNode } from './clients.ts';
import { ClusterSubscriptions } from './cluster-subscriptions.ts';
import type { Argument, ChannelListener, Connection, Reply } from './connection.ts';
import { replyCode } from './failures.ts';
import { IoRedisConnection, OWN_CONNECTION } from './ioredis.ts';
import { ignore } from './subscriber.ts';

/** Members of a cluster client that the library does not type. */
interface Internals {
  /** Keys of the nodes of each slot, the master first. */
  readonly slots: readonly (readonly string[] | undefined)[];
  refreshSlotsCache(callback: () => void): void;
}

/** Milliseconds between two refreshes of the slot table, and for a node to accept a connection. */
const REFRESH_MS = 2_000;

/** A cluster through ioredis: a copy of the app's client for commands, and a connection to each master for messages. */
export class IoRedisClusterConnection implements Connection {
  readonly publish = 'SPUBLISH';
  readonly #cluster: IoRedisCluster & Internals;
  readonly #subscriptions: ClusterSubscriptions;
  #refreshing: Promise<void> | undefined;

  /** @param like a client of the app. Only its options are used. */
  constructor(like: IoRedisCluster, onGap: () => void) {
    const { redisOptions } = like.options as { redisOptions?: object };
    this.#cluster = like.duplicate([], {
      lazyConnect: true,
      keyPrefix: '',
      enableAutoPipelining: false,
      scaleReads: 'master',
      slotsRefreshInterval: REFRESH_MS,
      clusterRetryStrategy: backoffMs,
      redisOptions: { ...redisOptions, ...OWN_CONNECTION, connectTimeout: REFRESH_MS },
    }) as IoRedisCluster & Internals;
    this.#cluster.on('error', ignore);
    this.#subscriptions = new ClusterSubscriptions({
      nodes: {
        masters: () => this.#cluster.nodes('master').map((node) => ({ address: addressOf(node) })),
        masterOf: (slot) => {
          const address = this.#cluster.slots[slot]?.[0];
          return address === undefined ? undefined : { address };
        },
        clientOf: async (node) => new IoRedisConnection(this.#nodeAt(node)),
      },
      onGap,
      onStray: () => void this.recover(undefined),
    });
  }

  async open(signal: AbortSignal): Promise<void> {
    const ready = this.#whenReady(signal);
    this.#cluster.connect().catch(ignore);
    await ready;
  }

  async send(_key: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply> {
    if (this.#cluster.status !== 'ready') await this.#whenReady(signal);
    const [name, ...rest] = args;
    // The client finds the keys of a command by its lower-case name.
    return (await this.#cluster.callBuffer(String(name).toLowerCase(), rest)) as Reply;
  }

  /** Returns the reply of the master that answers first. */
  async info(signal: AbortSignal): Promise<string> {
    const replies = this.#cluster.nodes('master').map((node) => node.call('info', ['server']));
    return String(await raceSignal(Promise.any(replies), signal));
  }

  async recover(error: unknown): Promise<void> {
    const code = replyCode(error);
    if (code !== undefined && code !== 'READONLY' && code !== 'CLUSTERDOWN') return;
    this.#refreshing ??= new Promise<void>((resolve) =>
      this.#cluster.refreshSlotsCache(() => resolve()),
    ).finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  subscribe(channel: string, listener: ChannelListener): Promise<void> {
    return this.#subscriptions.add(channel, listener);
  }

  unsubscribe(channel: string, listener: ChannelListener): Promise<void> {
    return this.#subscriptions.remove(channel, listener);
  }

  tend(): void {
    this.#subscriptions.tend();
  }

  async close(): Promise<void> {
    this.#subscriptions.close();
    this.#cluster.disconnect();
  }

  #nodeAt({ address }: RedisClusterNode): IoRedisClient {
    const node = this.#cluster.nodes('master').find((one) => addressOf(one) === address);
    if (!node) throw new Error(`the cluster has no master ${address}`);
    return node;
  }

  #whenReady(signal: AbortSignal): Promise<void> {
    let resolve!: () => void;
    const ready = new Promise<void>((done) => (resolve = done));
    this.#cluster.once('ready', resolve);
    return raceSignal(ready, signal).finally(() => this.#cluster.off('ready', resolve));
  }
}

function addressOf(node: IoRedisClient): string {
  const { host, port } = (node as IoRedisClient & { options: { host?: string; port?: number } }).options;
  return `${host}:${port}`;
}
