import type { RedisClient, RedisClusterNode } from './clients.ts';
import type { ChannelListener } from './connection.ts';
import { slotOf } from './slot.ts';
import { createSubscriber, ignore } from './subscriber.ts';

interface Subscription {
  readonly channel: string;
  readonly listener: ChannelListener;
  readonly slot: number;
  /** Address of the node of the subscription. Undefined if it has to be created again. */
  address: string | undefined;
  placing: boolean;
}

/** The masters of a cluster, as its client knows them. */
export interface ClusterNodes {
  masters(): readonly RedisClusterNode[];
  masterOf(slot: number): RedisClusterNode | undefined;
  /** Returns a client of the node. Connections are created with its options. */
  clientOf(node: RedisClusterNode): Promise<RedisClient>;
}

export interface ClusterSubscriptionsOptions {
  readonly nodes: ClusterNodes;
  /** Called when messages may have been missed. */
  readonly onGap: () => void;
  /** Called when the slot table is out of date. */
  readonly onStray: () => void;
}

/**
 * Subscriptions to sharded channels, each with the master of its slot. node-redis supports them too, but loses them
 * when a failover removes their node from its slot table.
 */
export class ClusterSubscriptions {
  readonly #options: ClusterSubscriptionsOptions;
  readonly #subscribers = new Map<string, RedisClient>();
  readonly #connecting = new Map<string, Promise<RedisClient>>();
  readonly #subscriptions = new Map<ChannelListener, Subscription>();

  constructor(options: ClusterSubscriptionsOptions) {
    this.#options = options;
  }

  async add(channel: string, listener: ChannelListener): Promise<void> {
    const subscription = { channel, listener, slot: slotOf(channel), address: undefined, placing: false };
    this.#subscriptions.set(listener, subscription);
    try {
      await this.#place(subscription);
    } catch (error) {
      this.#subscriptions.delete(listener);
      throw error;
    }
  }

  async remove(channel: string, listener: ChannelListener): Promise<void> {
    const address = this.#subscriptions.get(listener)?.address;
    this.#subscriptions.delete(listener);
    const subscriber = address === undefined ? undefined : this.#subscribers.get(address);
    await subscriber?.sUnsubscribe(channel, listener, true).catch(ignore);
  }

  /** Moves the subscriptions that are no longer with the master of their slot. */
  tend(): void {
    const masters = new Set(this.#options.nodes.masters().map((node) => node.address));
    for (const address of this.#subscribers.keys()) {
      if (!masters.has(address)) this.#drop(address);
    }
    const strays = [...this.#subscriptions.values()].filter(
      (one) => !one.placing && one.address !== this.#masterOf(one)?.address,
    );
    if (strays.length === 0) return;
    void Promise.allSettled(strays.map((stray) => this.#place(stray))).then(this.#options.onGap);
  }

  close(): void {
    this.#subscriptions.clear();
    for (const address of this.#subscribers.keys()) this.#drop(address);
  }

  #masterOf(subscription: Subscription) {
    return this.#options.nodes.masterOf(subscription.slot);
  }

  async #place(subscription: Subscription): Promise<void> {
    const { channel, listener } = subscription;
    subscription.placing = true;
    try {
      const master = this.#masterOf(subscription);
      if (!master) throw new Error('the cluster has no master for the slot');
      const subscriber = await this.#subscriberOf(master.address);
      await subscriber.sSubscribe(channel, listener, true);
      subscription.address = master.address;
      // The subscription was removed while it was being created.
      if (this.#subscriptions.get(listener) !== subscription) {
        await subscriber.sUnsubscribe(channel, listener, true);
      }
    } catch (error) {
      subscription.address = undefined;
      this.#options.onStray();
      throw error;
    } finally {
      subscription.placing = false;
    }
  }

  #subscriberOf(address: string): Promise<RedisClient> {
    let connecting = this.#connecting.get(address);
    if (!connecting) {
      connecting = this.#connect(address);
      this.#connecting.set(address, connecting);
      connecting.catch(() => this.#connecting.delete(address));
    }
    return connecting;
  }

  async #connect(address: string): Promise<RedisClient> {
    const { nodes, onGap } = this.#options;
    const node = nodes.masters().find((one) => one.address === address);
    if (!node) throw new Error(`the cluster has no master ${address}`);
    const subscriber = createSubscriber(await nodes.clientOf(node), onGap);
    this.#subscribers.set(address, subscriber);
    // node-redis drops the channels of slots that moved, and reports it with two different events.
    subscriber.on('sharded-channel-moved', (channel) => this.#lose((one) => one.channel === channel));
    subscriber.on('__MOVED', () => this.#lose((one) => one.address === address));
    await subscriber.connect();
    return subscriber;
  }

  #lose(lost: (subscription: Subscription) => boolean): void {
    for (const one of this.#subscriptions.values()) {
      if (lost(one)) one.address = undefined;
    }
    this.#options.onStray();
  }

  #drop(address: string): void {
    const subscriber = this.#subscribers.get(address);
    this.#subscribers.delete(address);
    this.#connecting.delete(address);
    if (subscriber?.isOpen) subscriber.destroy();
  }
}
