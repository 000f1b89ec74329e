import { createCall } from './call.ts';
import { isExpired, isGone, type ErrorTarget } from './errors.ts';
import { ABORT, abortUrl, refusal } from './proxy-client.ts';

/** A stop must not get lost, nor keep its caller waiting for long: about four seconds at the most. */
const LIMITS = { maxReconnectAttempts: 4, reconnectTimeoutMs: 60_000 };

/**
 * Gives a function that stops the upstream of a stream, from wherever its URL is known. What was received so
 * far stays readable. It may be called again and again; it rejects with a DurableNetworkError or a
 * DurableStreamError when it could not be done.
 * @param streamUrl `response.streamUrl`.
 * @param fetch the fetch to go over; default: the global one.
 */
export function createAbortFn(streamUrl: string, fetch?: typeof globalThis.fetch): () => Promise<void> {
  return once(() =>
    abortStream(() => (fetch ?? globalThis.fetch)(abortUrl(streamUrl).href, ABORT), {
      method: ABORT.method,
      url: streamUrl,
    }),
  );
}

/** Runs at most once at a time, and not again after a success. */
export function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () =>
    (running ??= run().catch((error: unknown) => {
      running = undefined;
      throw error;
    }));
}

/**
 * @param send asks the proxy, once.
 * @param renew gets another URL in place of an expired one; false when there is none.
 * @throws DurableNetworkError, DurableStreamError when it could not be done.
 */
export async function abortStream(
  send: () => Promise<Response>,
  target: ErrorTarget,
  renew?: () => Promise<boolean>,
): Promise<void> {
  const call = createCall(LIMITS, target);
  const ask = async () => {
    const response = await send();
    const refused = await refusal(response, target);
    // What is not there any more does not run any more.
    if (!response.ok && (isExpired(refused) || !isGone(refused))) throw refused;
  };
  try {
    await call.persist(ask);
  } catch (error) {
    if (!isExpired(error) || !(await renew?.())) throw error;
    await call.persist(ask);
  } finally {
    call.end('stop', 'aborted');
  }
}
