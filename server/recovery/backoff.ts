/** Milliseconds before the second attempt; doubled for each further one up to the last. */
const FIRST_MS = 250;
const MAX_MS = 10_000;

/**
 * Returns milliseconds to wait before an attempt, random, so that the streams of one upstream do not reconnect at the
 * same time: up to 100 for the first attempt, then half to all of 250, 500, … 10,000.
 * @param attempt 0 for the first.
 */
export function pauseBefore(attempt: number, random: () => number = Math.random): number {
  if (attempt === 0) return random() * 100;
  const full = Math.min(FIRST_MS * 2 ** (attempt - 1), MAX_MS);
  return full / 2 + (random() * full) / 2;
}

/** Returns milliseconds from a `Retry-After` field (RFC 9110, section 10.2.3), 0 if it is absent or malformed. */
export function retryAfterMs(value: string | undefined, now = Date.now()): number {
  if (value === undefined) return 0;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

/** Returns true for a status that may be temporary: a 5xx, or 408, 409, 425, 429. */
export function isWorthRetrying(status: number): boolean {
  return status >= 500 || [408, 409, 425, 429].includes(status);
}
