/** Longest wait before the first attempt, in milliseconds. */
const BASE_MS = 250;
/** Longest wait before another attempt to read, in milliseconds. */
export const READ_CAP_MS = 10_000;
/** Longest wait before another attempt to create, find or stop, in milliseconds. */
export const REQUEST_CAP_MS = 2_000;

/**
 * Returns how long to wait before an attempt, in milliseconds. Full jitter, so that readers that lost their connection
 * at the same moment do not return at the same moment.
 * @param attempt counts from 1.
 * @param capMs the longest wait.
 */
export function backoff(attempt: number, capMs = READ_CAP_MS): number {
  // Timers truncate fractions of a millisecond.
  return Math.ceil(Math.random() * Math.min(capMs, BASE_MS * 2 ** (attempt - 1)));
}

/**
 * Returns `Retry-After` (RFC 9110, section 10.2.3), seconds or a date, in milliseconds from now; 0 without one. A date
 * is compared with the response's own `Date`, because the client's clock may be wrong.
 */
export function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const now = Date.parse(headers.get('date') ?? '') || Date.now();
  return Math.max(0, Number(value) * 1000 || Date.parse(value) - now || 0);
}
