import { backoff } from './backoff.ts';
import type { Mutable } from './mutable.ts';
import { isOffline } from './wake.ts';

/** Longest part of a wait beyond its planned time, in milliseconds. More than that was a sleep of the machine. */
const SLEEP_SLACK_MS = 1_000;

/** Limits of a series of attempts. */
export interface RetryLimits {
  /** Milliseconds from the first failure, awake and online. */
  readonly timeoutMs: number;
  /** Longest backoff, in milliseconds. */
  readonly capMs: number;
}

/** Counts the attempts and the time that a call may still use. Time offline and time asleep do not count. */
export interface RetryBudget {
  /** Attempts since the last success. */
  readonly attempt: number;
  /**
   * Counts a failed attempt.
   * @param limits the limits of this attempt.
   * @param askedMs milliseconds that `Retry-After` asked for, 0 without it.
   * @returns milliseconds to wait before the next attempt, or undefined if the budget is used up.
   */
  spend(limits: RetryLimits, askedMs: number): number | undefined;
  /** Counts a wait of `ms` milliseconds that has just ended. */
  waited(ms: number): void;
  /** Starts again: bytes arrived, a connection lasted for a while, or the network came back. */
  reset(): void;
}

/**
 * Creates the budget of one call.
 * @param settings the maximum number of attempts, and the milliseconds after which a connection counts as dead.
 */
export function createRetryBudget({
  maxReconnectAttempts = Infinity,
  heartbeatTimeoutMs,
}: {
  readonly maxReconnectAttempts?: number | undefined;
  readonly heartbeatTimeoutMs: number;
}): RetryBudget {
  let usedMs = 0;
  let countedAt = 0;

  /** Counts the time since the last count. A step cannot take longer than `maxMs` unless the machine slept. */
  const count = (maxMs: number) => {
    const now = Date.now();
    usedMs += Math.min(Math.max(now - countedAt, 0), maxMs);
    countedAt = now;
  };

  const budget: Mutable<RetryBudget> = {
    attempt: 0,
    spend({ timeoutMs, capMs }, askedMs) {
      // An attempt that hangs, or in which the machine sleeps, must not use up all of the time.
      count(Math.min(heartbeatTimeoutMs, timeoutMs / 4));
      const isOff = isOffline();
      if (!budget.attempt || isOff) usedMs = 0;
      const leftMs = timeoutMs - usedMs;
      if ((++budget.attempt > maxReconnectAttempts && !isOff) || askedMs >= leftMs) return undefined;
      return Math.max(askedMs, Math.min(backoff(budget.attempt, capMs), leftMs));
    },
    waited: (ms) => count(ms + SLEEP_SLACK_MS),
    reset() {
      budget.attempt = 0;
    },
  };
  return budget;
}
