import { setTimeout as delay } from 'node:timers/promises';

const FIRST_MS = 50;
const LONGEST_MS = 1_000;

/** Milliseconds before attempt `attempt + 1`: they double from 50 to 1,000, with half of it left to chance. */
export function backoffMs(attempt: number): number {
  return Math.min(FIRST_MS * 2 ** Math.min(attempt, 10), LONGEST_MS) * (0.5 + Math.random() / 2);
}

/** Waits before the next attempt; keeps no process alive. Rejects when `signal` aborts. */
export async function pause(attempt: number, signal?: AbortSignal): Promise<void> {
  await delay(backoffMs(attempt), undefined, { ref: false, ...(signal && { signal }) });
}
