import { backoff, READ_CAP_MS, REQUEST_CAP_MS } from './backoff.ts';
import type { Settings } from './settings.ts';
import { isOffline } from './wake.ts';

/** What is attempted: `request` creates, finds or stops an answer, `read` reads one. Each has its own time limit. */
export type AttemptKind = 'request' | 'read';

/** The attempts and the time that a call may use before it gives up. */
export interface RetryBudget {
  /** Restores the budget. Called when bytes arrive, or when a connection has lasted for some seconds. */
  restore(): void;
  /**
   * Takes a failed attempt, and the wait before the next one, from the budget.
   * @param askedMs the server's `Retry-After`, in milliseconds; 0 without one.
   * @returns the number of the next attempt, and how long to wait for it; undefined if the budget is used up.
   */
  spend(
    kind: AttemptKind,
    askedMs: number,
  ): { readonly attempt: number; readonly waitMs: number } | undefined;
  /** Called when the next attempt begins. */
  begin(): void;
}

export type RetrySettings = Pick<
  Settings,
  'maxReconnectAttempts' | 'reconnectTimeoutMs' | 'retryTimeoutMs' | 'heartbeatTimeoutMs'
>;

export function createRetryBudget({
  maxReconnectAttempts = Infinity,
  reconnectTimeoutMs,
  retryTimeoutMs,
  heartbeatTimeoutMs,
}: RetrySettings): RetryBudget {
  /** Failed attempts since the budget was restored. */
  let attempt = 0;
  /** Milliseconds since the first of them. Time offline, and time asleep during a wait, do not count. */
  let usedMs = 0;
  let attemptedAt = 0;
  return {
    restore: () => void (attempt = 0),
    spend(kind, askedMs) {
      const isRead = kind === 'read';
      const timeoutMs = isRead ? reconnectTimeoutMs : retryTimeoutMs;
      const isOff = isOffline();
      // An attempt that hangs, or in which the machine sleeps, must not use up all of the time.
      usedMs += Math.max(0, Math.min(Date.now() - attemptedAt, heartbeatTimeoutMs, timeoutMs / 4));
      if (!attempt || isOff) usedMs = 0;
      const leftMs = timeoutMs - usedMs;
      if ((++attempt > maxReconnectAttempts && !isOff) || askedMs >= leftMs) return undefined;
      const delayMs = backoff(attempt, isRead ? READ_CAP_MS : REQUEST_CAP_MS);
      const waitMs = Math.max(askedMs, Math.min(delayMs, leftMs));
      usedMs += waitMs;
      return { attempt, waitMs };
    },
    begin: () => void (attemptedAt = Date.now()),
  };
}
