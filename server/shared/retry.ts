import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds before the second attempt; they double up to the second number. */
export type Pauses = readonly [firstMs: number, longestMs: number];

/**
 * Returns the milliseconds to wait after an attempt: doubled each time, half of it random, so that callers that failed
 * together do not try again together.
 * @param attempt 0 for the first.
 */
export function backoffMs(
  attempt: number,
  [firstMs, longestMs]: Pauses,
  random: () => number = Math.random,
): number {
  return Math.min(firstMs * 2 ** Math.min(attempt, 16), longestMs) * (0.5 + random() / 2);
}

export interface RetryOptions {
  readonly pauses: Pauses;
  /** Ends the attempts when it aborts. */
  readonly signal: AbortSignal;
  /** Milliseconds after which no further attempt begins. Default: no limit. */
  readonly limitMs?: number;
  /** Returns false for an error that another attempt would get again. Default: every error is temporary. */
  readonly isTemporary?: (error: unknown) => boolean;
  /** Called after each failed attempt that another one follows. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Calls a function until it succeeds. The pauses do not keep the process alive.
 * @throws the error of the last attempt.
 */
export async function retry<T>(
  run: () => Promise<T>,
  { pauses, signal, limitMs = Infinity, isTemporary = () => true, onFailure }: RetryOptions,
): Promise<T> {
  const until = performance.now() + limitMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await run();
    } catch (error) {
      if (signal.aborted || performance.now() > until || !isTemporary(error)) throw error;
      onFailure?.(error);
      const isLive = await delay(backoffMs(attempt, pauses), true, { ref: false, signal }).catch(() => false);
      if (!isLive) throw error;
    }
  }
}

/**
 * Returns the milliseconds of a `Retry-After` field, which is in seconds or a date (RFC 9110, section 10.2.3). Returns
 * undefined if it is absent or malformed.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}
