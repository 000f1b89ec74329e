import type { RedisCluster } from './clients.ts';
import { ClusterSubscriptions } from './cluster-subscriptions.ts';
import {
  AS_BYTES,
  INFO,
  SilenceError,
  type Argument,
  type ChannelListener,
  type Connection,
  type Reply,
} from './connection.ts';
import { replyCode } from './failures.ts';
import { before, ignore, PING_MS } from './subscriber.ts';

/** Milliseconds between two looks at the table of slots. */
const REDISCOVER_MS = 250;

/** A cluster: the client for commands, and for messages one connection of our own to each master. */
export class ClusterConnection implements Connection {
  readonly publish = 'SPUBLISH';
  readonly #cluster: RedisCluster;
  readonly #subscriptions: ClusterSubscriptions;
  #opened = false;
  #rediscovering: Promise<void> | undefined;
  #rediscoveredAt = Number.NEGATIVE_INFINITY;

  constructor(cluster: RedisCluster, onGap: () => void) {
    this.#cluster = cluster;
    this.#subscriptions = new ClusterSubscriptions({
      nodes: {
        masters: () => cluster.masters,
        masterOf: (slot) => cluster.slots[slot]?.master,
        clientOf: async (node) => node.client ?? (await cluster.nodeClient(node)),
      },
      onGap,
      onStray: () => void this.recover(undefined),
    });
    // Without a listener an `error` event ends the process.
    cluster.on('error', ignore);
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#cluster.isOpen) return;
    this.#opened = true;
    await before(signal, this.#cluster.connect());
  }

  /**
   * A command for a node that is down waits within the client for this very node, whoever has its slots by
   * then; `recover` takes it out of there.
   */
  send(key: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply> {
    return this.#cluster.sendCommand(key, false, [...args], {
      typeMapping: AS_BYTES,
      abortSignal: signal,
    }) as Promise<Reply>;
  }

  /** Of whichever master answers first: one that is down must not keep the others from being used. */
  info(signal: AbortSignal): Promise<string> {
    const answers = this.#cluster.masters.map(async (node) =>
      String(await (await this.#cluster.nodeClient(node)).sendCommand(INFO)),
    );
    return before(signal, Promise.any(answers));
  }

  async recover(error: unknown): Promise<void> {
    const code = replyCode(error);
    // A node that answers with anything else knows its place; MOVED is the client's own business.
    if (code !== undefined && code !== 'READONLY' && code !== 'CLUSTERDOWN') return;
    if (error instanceof SilenceError || performance.now() - this.#rediscoveredAt > REDISCOVER_MS) {
      this.#rediscovering ??= this.#rediscover().finally(() => {
        this.#rediscovering = undefined;
        this.#rediscoveredAt = performance.now();
      });
    }
    await this.#rediscovering;
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
    if (this.#opened && this.#cluster.isOpen) this.#cluster.destroy();
    this.#cluster.off('error', ignore);
  }

  /** Asks a master that answers who has which slots: one that is silent would be waited for. */
  async #rediscover(): Promise<void> {
    const clients = this.#cluster.masters.flatMap(({ client }) => (client?.isReady ? [client] : []));
    const signal = AbortSignal.timeout(PING_MS);
    const pings = clients.map((client) => client.sendCommand(['PING']).then(() => client));
    const answering = await before(signal, Promise.any(pings)).catch(ignore);
    if (answering) await this.#cluster._slots?.rediscover?.(answering).catch(ignore);
  }
}
