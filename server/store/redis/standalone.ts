import { raceSignal } from '../../shared/race-signal.ts';
import type { RedisClient } from './clients.ts';
import {
  AS_BYTES,
  INFO,
  SilenceError,
  StrayReplyError,
  type Argument,
  type ChannelListener,
  type Connection,
  type Reply,
} from './connection.ts';
import { createSubscriber, ignore } from './subscriber.ts';

/** Minimum milliseconds between two replacements of a connection. */
const REOPEN_MS = 1_000;

/** One Redis server: a client for commands, and a connection of our own for messages. */
export class StandaloneConnection implements Connection {
  readonly publish = 'PUBLISH';
  #client: RedisClient;
  readonly #subscriber: RedisClient;
  readonly #ours: boolean;
  #opened = false;
  #reopenedAt = Number.NEGATIVE_INFINITY;

  /** @param ours true if only this store uses the client. The store then reconnects and closes it. */
  constructor(client: RedisClient, ours: boolean, onGap: () => void) {
    this.#client = client;
    this.#ours = ours;
    this.#subscriber = createSubscriber(client, onGap);
    // Without a listener an `error` event ends the process.
    client.on('error', ignore);
  }

  async open(signal: AbortSignal): Promise<void> {
    if (!this.#client.isOpen) {
      this.#opened = true;
      await raceSignal(this.#client.connect(), signal);
    }
    await raceSignal(this.#subscriber.connect(), signal);
  }

  send(_key: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply> {
    return this.#client.sendCommand(args, { typeMapping: AS_BYTES, abortSignal: signal }) as Promise<Reply>;
  }

  async info(signal: AbortSignal): Promise<string> {
    return String(await this.send('', INFO, signal));
  }

  async recover(error: unknown): Promise<void> {
    const isOutOfStep = error instanceof StrayReplyError;
    if (!this.#ours || !(isOutOfStep || error instanceof SilenceError)) return;
    const now = performance.now();
    if (now - this.#reopenedAt < REOPEN_MS) return;
    this.#reopenedAt = now;
    if (isOutOfStep) this.#replaceClient();
    else this.#reconnect();
  }

  /**
   * Replaces the client, which would notice the problem only seconds later. Its pending commands are rejected and
   * retried.
   */
  #replaceClient(): void {
    const old = this.#client;
    this.#client = old.duplicate();
    this.#client.on('error', ignore);
    this.#client.connect().catch(ignore);
    old.destroy();
  }

  /**
   * Reconnects. The host name may resolve to another server by now: after a failover the old one rejects writes or does
   * not respond, and the client would stay connected to it.
   */
  #reconnect(): void {
    for (const client of [this.#client, this.#subscriber]) {
      // A client that is not ready is already reconnecting.
      if (!client.isReady) continue;
      client.destroy();
      client.connect().catch(ignore);
    }
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    await this.#subscriber.subscribe(channel, listener, true);
  }

  async unsubscribe(channel: string, listener: ChannelListener): Promise<void> {
    await this.#subscriber.unsubscribe(channel, listener, true).catch(ignore);
  }

  tend(): void {
    // The client restores its subscriptions itself.
  }

  async close(): Promise<void> {
    if (this.#subscriber.isOpen) this.#subscriber.destroy();
    if ((this.#ours || this.#opened) && this.#client.isOpen) this.#client.destroy();
    this.#client.off('error', ignore);
  }
}
