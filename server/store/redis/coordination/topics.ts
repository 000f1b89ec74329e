import { raceSignal } from '../../../shared/race-signal.ts';
import type { Connection } from '../connection.ts';

/** Waits for notifications on Redis channels. Messages may get lost; then all watchers check the state themselves. */
export class Topics {
  readonly #connection: Pick<Connection, 'subscribe' | 'unsubscribe'>;
  readonly #listeners = new Set<() => void>();

  constructor(connection: Pick<Connection, 'subscribe' | 'unsubscribe'>) {
    this.#connection = connection;
  }

  /** Called when messages may have been missed. */
  readonly wakeAll = (): void => {
    for (const listener of this.#listeners) listener();
  };

  /**
   * Calls `onNews` for each message, and when messages may have been missed.
   * @returns a function that ends the subscription, once the subscription exists.
   */
  async listen(channel: string, onNews: () => void): Promise<() => Promise<void>> {
    const listener = () => onNews();
    this.#listeners.add(listener);
    try {
      await this.#connection.subscribe(channel, listener);
    } catch (error) {
      this.#listeners.delete(listener);
      throw error;
    }
    return async () => {
      this.#listeners.delete(listener);
      await this.#connection.unsubscribe(channel, listener);
    };
  }

  /**
   * Resolves when `isOver` returns true. It is called at first and after each message.
   * @throws the signal's reason.
   */
  async until(channel: string, isOver: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let wake: () => void = () => undefined;
    const listening = this.listen(channel, () => wake());
    try {
      await raceSignal(listening, signal);
      for (;;) {
        // Subscribes before it checks, so that a change between the two is not missed.
        const news = new Promise<void>((resolve) => (wake = resolve));
        if (await raceSignal(isOver(), signal)) return;
        await raceSignal(news, signal);
      }
    } finally {
      listening.then((stop) => stop()).catch(() => undefined);
    }
  }
}
