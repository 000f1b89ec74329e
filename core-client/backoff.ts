/** Longest wait before the first attempt, and before any attempt, in milliseconds. */
const BASE_MS = 250;
const CAP_MS = 10_000;

/**
 * How long to wait before an attempt (from 1), with full jitter: many readers that a restart cut off at the
 * same moment must not come back at the same moment.
 */
export function backoff(attempt: number): number {
  return Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** (attempt - 1));
}

/** `Retry-After` (RFC 9110, section 10.2.3), seconds or a date, in milliseconds from now; 0 when there is none. */
export function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const ms = Number(value) * 1000 || Date.parse(value) - Date.now();
  return ms > 0 ? ms : 0;
}
