import type { ResumptionStatus } from '../../core-client/types.ts';
import type { ProxyRequest } from './requests.ts';

/** Something that happened to an answer. */
export interface LogEntry {
  /** Milliseconds since the first request of the answer. */
  readonly ms: number;
  readonly text: string;
  /** State of the answer afterwards. */
  readonly status: ResumptionStatus;
}

/** An answer as the requests of the page show it. Contains no URL with a signature and no header. */
export interface LoggedAnswer {
  readonly id: number;
  /** Method and URL of the upstream request without its query; undefined if another page sent it. */
  readonly target: string | undefined;
  readonly streamId: string | undefined;
  readonly status: ResumptionStatus;
  /** Offset just past the last byte that was received. */
  readonly offset: string | undefined;
  readonly receivedBytes: number;
  /** Failed attempts to connect since the last byte. */
  readonly attempt: number;
  readonly entries: readonly LogEntry[];
}

/** What changes in an answer. */
export type AnswerChange = Partial<Omit<LoggedAnswer, 'id' | 'entries'>>;

/** Most answers that the log keeps. The oldest is removed. */
const MAX_ANSWERS = 50;
/** Most entries of one answer. The oldest is removed. */
const MAX_ENTRIES = 100;
/** Milliseconds between two notifications: an answer changes with every chunk. */
const NOTIFY_MS = 100;

/** The answers of a page, newest first: a source for `useSyncExternalStore`. */
export class AnswerLog {
  #answers: readonly LoggedAnswer[] = [];
  #lastId = 0;
  #isScheduled = false;
  readonly #listeners = new Set<() => void>();
  /** Idempotency keys and stream ids, with the number of their answer. */
  readonly #names = new Map<string, number>();
  readonly #beganAt = new Map<number, number>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): readonly LoggedAnswer[] => this.#answers;

  /** Returns the number of the answer that a request belongs to, and adds the answer if it is new. */
  idOf({ key, streamId, target }: ProxyRequest): number {
    const known = this.#names.get(streamId ?? '') ?? this.#names.get(key ?? '');
    if (known !== undefined) return known;
    const id = ++this.#lastId;
    for (const name of [key, streamId]) if (name !== undefined) this.#names.set(name, id);
    this.#beganAt.set(id, Date.now());
    const answer: LoggedAnswer = {
      id,
      target,
      streamId,
      status: 'idle',
      offset: undefined,
      receivedBytes: 0,
      attempt: 0,
      entries: [],
    };
    this.#answers = [answer, ...this.#answers];
    for (const { id: old } of this.#answers.slice(MAX_ANSWERS)) this.#remove(old);
    this.#notify();
    return id;
  }

  /** Returns an answer, unless it was removed. */
  get(id: number): LoggedAnswer | undefined {
    return this.#answers.find((answer) => answer.id === id);
  }

  /** Changes an answer. @param text adds an entry. */
  change(id: number, change: AnswerChange, text?: string): void {
    if (change.streamId !== undefined) this.#names.set(change.streamId, id);
    this.#answers = this.#answers.map((answer) => {
      if (answer.id !== id) return answer;
      const next = { ...answer, ...change };
      if (text === undefined) return next;
      const entry = { ms: Date.now() - this.#beganAt.get(id)!, text, status: next.status };
      return { ...next, entries: [...answer.entries, entry].slice(-MAX_ENTRIES) };
    });
    this.#notify();
  }

  #remove(id: number): void {
    this.#answers = this.#answers.filter((answer) => answer.id !== id);
    this.#beganAt.delete(id);
    for (const [name, named] of this.#names) if (named === id) this.#names.delete(name);
  }

  #notify(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setTimeout(() => {
      this.#isScheduled = false;
      for (const listener of [...this.#listeners]) listener();
    }, NOTIFY_MS);
  }
}
