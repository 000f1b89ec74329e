import { abortReason } from './race-signal.ts';

interface Preflight {
  readonly chatId: string;
  readonly stop: AbortController;
}

/** What sends do before their requests, such as waiting for a token. Until then, a send can be canceled without a trace. */
export class Preflights {
  readonly #running = new Set<Preflight>();

  /**
   * Runs the preflight of a send.
   * @param caller signal of the caller.
   * @param run gets a signal that aborts with the signal of the caller, or when `cancel` is called.
   */
  async run<T>(
    chatId: string,
    caller: AbortSignal | undefined,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const stop = new AbortController();
    const preflight = { chatId, stop };
    const leave = () => caller && stop.abort(abortReason(caller));
    if (caller?.aborted) leave();
    caller?.addEventListener('abort', leave);
    this.#running.add(preflight);
    try {
      return await run(stop.signal);
    } finally {
      this.#running.delete(preflight);
      caller?.removeEventListener('abort', leave);
    }
  }

  /** Cancels the sends of a chat, or of all chats, whose requests were not sent yet. */
  cancel(chatId?: string): void {
    for (const preflight of this.#running) {
      if (chatId !== undefined && preflight.chatId !== chatId) continue;
      preflight.stop.abort(new DOMException('The message was stopped before it was sent', 'AbortError'));
    }
  }
}
