const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Milliseconds before each retry of a webhook. After the last one, it is not sent again. */
const RETRY_MS = [5 * SECOND, 30 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 8 * HOUR, 24 * HOUR] as const;

/** Share of a delay that is random, so that the webhooks of an outage are not retried at the same time. */
const JITTER = 0.2;

/**
 * Returns the milliseconds to wait after a failed attempt, or undefined if it was the last one.
 * @param attempts number of attempts so far, at least 1.
 */
export function retryDelayMs(attempts: number, random: () => number = Math.random): number | undefined {
  const delay = RETRY_MS[attempts - 1];
  return delay === undefined ? undefined : Math.round(delay * (1 + JITTER * random()));
}
