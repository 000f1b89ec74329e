import { noticeIntervalMs } from './timeout.ts';

/** Longest delay of a timer in Node, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A check that arrived so many milliseconds longer ago than needed is out of date: the process was suspended since. */
const OUTDATED_MS = 1_000;

/** An answer that this process pumps. */
interface Answer {
  readonly timeoutMs: number;
  readonly onUnread: () => void;
  /** Readers in this process. */
  readers: number;
  /** When the last reader left, here or elsewhere, or when the answer began. As `performance.now()`. */
  readAt: number;
  /** When a check of the messages arrived, since the timeout is over. */
  checkedAt: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Watches the answers of this process for readers, and reports those that nobody reads in any process. Looks only when a
 * timeout is over. Readers in other processes are known by their notices, so before it reports an answer it makes sure that
 * notices arrive: it waits for a message to itself, and for notices that may arrive after it. An outage of the store,
 * or a process that was suspended, therefore cancels no answer.
 */
export class UnreadAnswers {
  readonly #check: (streamId: string) => Promise<unknown>;
  readonly #answers = new Map<string, Answer>();

  /** @param check sends a message to this process; when it arrives, `checked` is called. */
  constructor(check: (streamId: string) => Promise<unknown>) {
    this.#check = check;
  }

  /**
   * Calls `onUnread` once the stream had no reader for `timeoutMs`, and at most half of that later.
   * @returns the function that ends this.
   */
  watch(streamId: string, timeoutMs: number, onUnread: () => void): () => void {
    const readAt = performance.now();
    const answer: Answer = {
      timeoutMs,
      onUnread,
      readers: 0,
      readAt,
      checkedAt: undefined,
      timer: undefined,
    };
    this.#answers.set(streamId, answer);
    this.#lookIn(timeoutMs, streamId, answer);
    return () => {
      clearTimeout(answer.timer);
      this.#answers.delete(streamId);
    };
  }

  /** Counts a reader in this process. Returns the function for when it leaves, or undefined if the stream is not watched. */
  enter(streamId: string): (() => void) | undefined {
    const answer = this.#answers.get(streamId);
    if (!answer) return undefined;
    answer.readers += 1;
    return () => {
      answer.readers -= 1;
      answer.readAt = performance.now();
    };
  }

  /** Notes a reader in another process. */
  seen(streamId: string): void {
    const answer = this.#answers.get(streamId);
    if (answer) answer.readAt = performance.now();
  }

  /** Notes that a message of `check` has arrived. */
  checked(streamId: string): void {
    const answer = this.#answers.get(streamId);
    if (answer) answer.checkedAt ??= performance.now();
  }

  #lookIn(ms: number, streamId: string, answer: Answer): void {
    answer.timer = setTimeout(() => this.#look(streamId, answer), Math.min(ms, MAX_TIMER_MS)).unref();
  }

  #look(streamId: string, answer: Answer): void {
    const { readers, readAt, timeoutMs, checkedAt, onUnread } = answer;
    const now = performance.now();
    const leftMs = readers > 0 ? timeoutMs : readAt + timeoutMs - now;
    if (leftMs > 0) {
      answer.checkedAt = undefined;
      return this.#lookIn(leftMs, streamId, answer);
    }
    const waitMs = noticeIntervalMs(timeoutMs);
    const sinceMs = checkedAt === undefined ? undefined : now - checkedAt;
    if (sinceMs !== undefined && sinceMs < waitMs) return this.#lookIn(waitMs - sinceMs, streamId, answer);
    if (sinceMs !== undefined && sinceMs < waitMs + OUTDATED_MS) return onUnread();
    answer.checkedAt = undefined;
    this.#check(streamId).catch(() => undefined);
    this.#lookIn(waitMs, streamId, answer);
  }
}
