import * as shared from '../../shared/retry.ts';

const PAUSES: shared.Pauses = [25, 2_000];

/**
 * Returns true if a request may succeed when it is repeated: after timeouts, limits, and failures of the server or of a
 * gateway before it (RFC 9110, sections 15.5.9 and 15.6; RFC 6585, section 4; RFC 8470, section 5.2).
 */
export function isRetryable(status: number): boolean {
  return (
    status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501 && status !== 505)
  );
}

/**
 * Returns the milliseconds before the next attempt: doubled each time up to two seconds. The upper half is random, so
 * that requests that failed together are not repeated together. Never less than the server requests.
 */
export function backoffMs(attempt: number, retryAfterMs = 0, random: () => number = Math.random): number {
  return Math.max(retryAfterMs, shared.backoffMs(attempt, PAUSES, random));
}
