import type { ServerResponse } from 'node:http';
import { isClosed } from '../http/response.ts';
import type { StreamInfo } from '../store/types.ts';
import { ReaderNotices, type ReaderNoticesOptions } from './reader-notices.ts';
import { UnreadAnswers } from './unread-answers.ts';

export interface ReadershipOptions extends ReaderNoticesOptions {
  /** Id of this process. */
  readonly processId: string;
  /** Sends a message to this process; when it arrives, `checked` is called. */
  readonly check: (streamId: string) => Promise<unknown>;
}

/** Tracks the readers of streams with an unread timeout, in all processes on the store. Other streams cost nothing. */
export class Readership {
  readonly #answers: UnreadAnswers;
  readonly #notices: ReaderNotices;

  constructor({ processId, check, notify, ...options }: ReadershipOptions) {
    this.#answers = new UnreadAnswers(check);
    this.#notices = new ReaderNotices({
      ...options,
      // This process may have adopted the stream after its readers joined.
      notify: async (owner, streamId) =>
        owner === processId ? this.seen(streamId) : notify(owner, streamId),
    });
  }

  /**
   * Calls `onUnread` once a stream of this process had no reader in any process for `timeoutMs`, at the latest after
   * 1.5 times that. Returns a function that ends the watch.
   */
  watch(streamId: string, timeoutMs: number, onUnread: () => void): () => void {
    return this.#answers.watch(streamId, timeoutMs, onUnread);
  }

  /** Counts a reader until its response is closed. */
  enter(streamId: string, info: StreamInfo, res: ServerResponse): void {
    const leave = this.#answers.enter(streamId) ?? this.#notices.enter(streamId, info);
    if (!leave) return;
    if (isClosed(res)) leave();
    else res.once('close', leave);
  }

  /** Records a reader in another process. */
  seen(streamId: string): void {
    this.#answers.seen(streamId);
  }

  /** Records that a message of `check` has arrived. */
  checked(streamId: string): void {
    this.#answers.checked(streamId);
  }

  stop(): void {
    this.#notices.stop();
  }
}
