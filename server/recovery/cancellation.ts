import { setTimeout as delay } from 'node:timers/promises';
import { discardBody, type UpstreamResponse } from '../upstream/client.ts';
import { isWorthRetrying, pauseBefore, retryAfterMs } from './backoff.ts';

/** Maximum number of requests, within about eight seconds. */
const MAX_ATTEMPTS = 6;
/** Longest `Retry-After` that is honored, in milliseconds. */
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * Sends a request that stops an upstream, and retries until the upstream responds.
 * @param send sends the request once.
 * @param signal ends the attempts.
 * @returns the status of the last attempt: a 2xx if the upstream was stopped, undefined if it did not respond.
 */
export async function sendCancel(
  send: () => Promise<UpstreamResponse>,
  signal: AbortSignal,
): Promise<number | undefined> {
  let status: number | undefined;
  let waitMs = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS && !signal.aborted; attempt += 1) {
    if (attempt > 0) await delay(Math.max(pauseBefore(attempt), waitMs), undefined, { signal, ref: false });
    try {
      const response = await send();
      discardBody(response.body);
      status = response.status;
      if (!isWorthRetrying(status)) return status;
      waitMs = Math.min(retryAfterMs(response.headers['retry-after']), MAX_RETRY_AFTER_MS);
    } catch {
      status = undefined;
    }
  }
  return status;
}
