import { raceSignal } from '../../shared/race-signal.ts';
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
import { ignore, PING_MS } from './subscriber.ts';

/** Minimum milliseconds between two refreshes of the slot table. */
const REDISCOVER_MS = 250;

/** A cluster: a client for commands, and one connection of our own to each master for messages. */
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
    await raceSignal(this.#cluster.connect(), signal);
  }

  /**
   * Sends a command. The client queues a command for a node that is down until this node returns, even if another node
   * has its slots by then; `recover` removes it from that queue.
   */
  send(key: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply> {
    return this.#cluster.sendCommand(key, false, [...args], {
      typeMapping: AS_BYTES,
      abortSignal: signal,
    }) as Promise<Reply>;
  }

  /** Returns the reply of the master that answers first: one that is down must not prevent the use of the others. */
  info(signal: AbortSignal): Promise<string> {
    const replies = this.#cluster.masters.map(async (node) =>
      String(await (await this.#cluster.nodeClient(node)).sendCommand(INFO)),
    );
    return raceSignal(Promise.any(replies), signal);
  }

  async recover(error: unknown): Promise<void> {
    const code = replyCode(error);
    // A node that replies with any other error serves its slots. The client handles MOVED itself.
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

  /** Requests the slot table from a master that answers. An unresponsive one would delay it. */
  async #rediscover(): Promise<void> {
    const clients = this.#cluster.masters.flatMap(({ client }) => (client?.isReady ? [client] : []));
    const signal = AbortSignal.timeout(PING_MS);
    const pings = clients.map((client) => client.sendCommand(['PING']).then(() => client));
    const answering = await raceSignal(Promise.any(pings), signal).catch(ignore);
    if (answering) await this.#cluster._slots?.rediscover?.(answering).catch(ignore);
  }
}
