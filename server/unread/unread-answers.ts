import { MAX_TIMER_MS } from '../shared/max-timer.ts';
import { noticeIntervalMs } from './timeout.ts';

/**
 * A check is outdated if this many more milliseconds have passed since it arrived than necessary: the process was
 * suspended in between.
 */
const OUTDATED_MS = 1_000;

/** An answer that this process pumps. */
interface WatchedAnswer {
  readonly timeoutMs: number;
  readonly onUnread: () => void;
  /** Readers in this process. */
  readers: number;
  /**
   * Time at which the last reader disconnected, in any process, or at which the answer began. As `performance.now()`.
   */
  readAt: number;
  /** Time at which the message of `check` arrived after the timeout, as `performance.now()`. */
  checkedAt: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Watches the answers of this process for readers, and reports those that no client reads in any process. Runs only
 * when a timeout has passed. Readers in other processes are known by their notices. So before it reports an answer, it
 * sends a message to its own process, whose arrival shows that notices arrive, and then waits for late notices. An outage
 * of the store, or a process that was suspended, therefore cancels no answer.
 */
export class UnreadAnswers {
  readonly #check: (streamId: string) => Promise<unknown>;
  readonly #answers = new Map<string, WatchedAnswer>();

  /** @param check sends a message to this process; when it arrives, `checked` is called. */
  constructor(check: (streamId: string) => Promise<unknown>) {
    this.#check = check;
  }

  /**
   * Calls `onUnread` once the stream had no reader for `timeoutMs`, at the latest after 1.5 times that.
   * @returns a function that ends the watch.
   */
  watch(streamId: string, timeoutMs: number, onUnread: () => void): () => void {
    const readAt = performance.now();
    const answer: WatchedAnswer = {
      timeoutMs,
      onUnread,
      readers: 0,
      readAt,
      checkedAt: undefined,
      timer: undefined,
    };
    this.#answers.set(streamId, answer);
    this.#checkIn(timeoutMs, streamId, answer);
    return () => {
      clearTimeout(answer.timer);
      this.#answers.delete(streamId);
    };
  }

  /**
   * Counts a reader in this process. Returns the function to call when it disconnects, or undefined if the stream is
   * not watched.
   */
  enter(streamId: string): (() => void) | undefined {
    const answer = this.#answers.get(streamId);
    if (!answer) return undefined;
    answer.readers += 1;
    return () => {
      answer.readers -= 1;
      answer.readAt = performance.now();
    };
  }

  /** Records a reader in another process. */
  seen(streamId: string): void {
    const answer = this.#answers.get(streamId);
    if (answer) answer.readAt = performance.now();
  }

  /** Records that a message of `check` has arrived. */
  checked(streamId: string): void {
    const answer = this.#answers.get(streamId);
    if (answer) answer.checkedAt ??= performance.now();
  }

  #checkIn(ms: number, streamId: string, answer: WatchedAnswer): void {
    answer.timer = setTimeout(() => this.#checkReaders(streamId, answer), Math.min(ms, MAX_TIMER_MS)).unref();
  }

  #checkReaders(streamId: string, answer: WatchedAnswer): void {
    const { readers, readAt, timeoutMs, checkedAt, onUnread } = answer;
    const now = performance.now();
    const leftMs = readers > 0 ? timeoutMs : readAt + timeoutMs - now;
    if (leftMs > 0) {
      answer.checkedAt = undefined;
      return this.#checkIn(leftMs, streamId, answer);
    }
    const waitMs = noticeIntervalMs(timeoutMs);
    const sinceMs = checkedAt === undefined ? undefined : now - checkedAt;
    if (sinceMs !== undefined && sinceMs < waitMs) return this.#checkIn(waitMs - sinceMs, streamId, answer);
    if (sinceMs !== undefined && sinceMs < waitMs + OUTDATED_MS) return onUnread();
    answer.checkedAt = undefined;
    this.#check(streamId).catch(() => undefined);
    this.#checkIn(waitMs, streamId, answer);
  }
}
