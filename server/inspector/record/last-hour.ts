import type { ErrorCode } from '../../../protocol/errors.ts';
import type { Outcome } from '../../../protocol/outcomes.ts';
import { addBuckets, bucketOf } from '../wire/buckets.ts';
import type { HourCounts } from '../wire/types.ts';

const MINUTES = 60;
const MINUTE_MS = 60_000;

interface Minute {
  readonly minute: number;
  readonly closed: Partial<Record<Outcome, number>>;
  readonly refused: Partial<Record<ErrorCode, number>>;
  readonly firstToken: Record<number, number>;
  readonly append: Record<number, number>;
}

/** Counts of the last hour, by minute. */
export class LastHour {
  #minutes: Minute[] = [];

  closed(outcome: Outcome): void {
    increment(this.#now.closed, outcome);
  }

  refused(code: ErrorCode): void {
    increment(this.#now.refused, code);
  }

  firstToken(ms: number): void {
    increment(this.#now.firstToken, bucketOf(ms));
  }

  append(ms: number): void {
    increment(this.#now.append, bucketOf(ms));
  }

  get counts(): HourCounts {
    const oldest = Math.floor(Date.now() / MINUTE_MS) - MINUTES;
    this.#minutes = this.#minutes.filter(({ minute }) => minute > oldest);
    const refused: Partial<Record<ErrorCode, number>> = {};
    const firstToken: Record<number, number> = {};
    const append: Record<number, number> = {};
    for (const each of this.#minutes) {
      for (const [code, count] of Object.entries(each.refused)) increment(refused, code as ErrorCode, count);
      addBuckets(firstToken, each.firstToken);
      addBuckets(append, each.append);
    }
    const minutes = this.#minutes
      .filter(({ closed }) => Object.keys(closed).length > 0)
      .map(({ minute, closed }) => ({ minute, closed }));
    return { minutes, refused, firstToken, append };
  }

  get #now(): Minute {
    const minute = Math.floor(Date.now() / MINUTE_MS);
    const last = this.#minutes.at(-1);
    if (last?.minute === minute) return last;
    const next: Minute = { minute, closed: {}, refused: {}, firstToken: {}, append: {} };
    this.#minutes.push(next);
    if (this.#minutes.length > MINUTES) this.#minutes.shift();
    return next;
  }
}

function increment<K extends string | number>(counts: Partial<Record<K, number>>, key: K, by = 1): void {
  counts[key] = (counts[key] ?? 0) + by;
}
