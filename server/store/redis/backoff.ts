import { setTimeout as delay } from 'node:timers/promises';
import * as shared from '../../shared/retry.ts';

const PAUSES: shared.Pauses = [50, 1_000];

/** Returns the milliseconds before attempt `attempt + 1`. */
export function backoffMs(attempt: number): number {
  return shared.backoffMs(attempt, PAUSES);
}

/** Waits before the next attempt. Does not keep the process alive. Rejects when `signal` aborts. */
export async function pause(attempt: number, signal?: AbortSignal): Promise<void> {
  await delay(backoffMs(attempt), undefined, { ref: false, ...(signal && { signal }) });
}
