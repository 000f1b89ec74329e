import { raceSignal } from '../../shared/race-signal.ts';
import type { RedisSentinel } from './clients.ts';
import {
  AS_BYTES,
  INFO,
  type Argument,
  type ChannelListener,
  type Connection,
  type Reply,
} from './connection.ts';
import { ignore } from './subscriber.ts';

/** A server and its replicas under Sentinel: the client finds the current master, for commands and messages. */
export class SentinelConnection implements Connection {
  readonly publish = 'PUBLISH';
  readonly #sentinel: RedisSentinel;
  readonly #onGap: () => void;
  #opened = false;

  constructor(sentinel: RedisSentinel, onGap: () => void) {
    this.#sentinel = sentinel;
    this.#onGap = onGap;
    // Without a listener an `error` event ends the process.
    sentinel.on('error', ignore);
    sentinel.on('topology-change', onGap);
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#sentinel.isOpen) return;
    this.#opened = true;
    await raceSignal(this.#sentinel.connect(), signal);
  }

  send(_key: string, args: readonly Argument[], signal: AbortSignal): Promise<Reply> {
    return this.#sentinel.sendCommand(false, [...args], {
      typeMapping: AS_BYTES,
      abortSignal: signal,
    }) as Promise<Reply>;
  }

  async info(signal: AbortSignal): Promise<string> {
    return String(await this.send('', INFO, signal));
  }

  async recover(): Promise<void> {
    // The client finds the new master itself.
  }

  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    await this.#sentinel.subscribe(channel, listener, true);
  }

  async unsubscribe(channel: string, listener: ChannelListener): Promise<void> {
    // In buffer mode only bytes arrive, whatever the client's types say.
    await this.#sentinel
      .unsubscribe(channel, listener as (message: string | Buffer) => void, true)
      .catch(ignore);
  }

  tend(): void {
    // The client moves its subscriptions to a new master.
  }

  async close(): Promise<void> {
    this.#sentinel.off('error', ignore);
    this.#sentinel.off('topology-change', this.#onGap);
    if (this.#opened) await this.#sentinel.destroy().catch(ignore);
  }
}
