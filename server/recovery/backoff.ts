import { backoffMs, parseRetryAfter, type Pauses } from '../shared/retry.ts';

const PAUSES: Pauses = [250, 10_000];

/**
 * Returns milliseconds to wait before an attempt, random, so that the streams of one upstream do not reconnect at the
 * same time: up to 100 for the first attempt, then half to all of 250, 500, … 10,000.
 * @param attempt 0 for the first.
 */
export function pauseBefore(attempt: number, random: () => number = Math.random): number {
  return attempt === 0 ? random() * 100 : backoffMs(attempt - 1, PAUSES, random);
}

/** Returns milliseconds from a `Retry-After` field (RFC 9110, section 10.2.3), 0 if it is absent or malformed. */
export function retryAfterMs(value: string | undefined, now = Date.now()): number {
  return parseRetryAfter(value, now) ?? 0;
}

/** Returns true for a status that may be temporary: a 5xx, or 408, 409, 425, 429. */
export function isWorthRetrying(status: number): boolean {
  return status >= 500 || [408, 409, 425, 429].includes(status);
}
