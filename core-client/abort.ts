import { createCall } from './call.ts';
import { isExpired, isGone, type ErrorTarget } from './errors.ts';
import { ABORT, abortUrl } from './proxy-client.ts';
import { proxyErrorOf } from './proxy-error.ts';

/** How long the function of `createAbortFn` retries, in milliseconds: the model costs money until the stop arrives. */
const RETRY_MS = 30_000;

/**
 * Returns a function that stops the upstream of a stream. What was received so far stays readable. The function may be
 * called again. It throws `DurableNetworkError` or `DurableStreamError` if the proxy did not confirm the stop within
 * 30 seconds.
 * @param streamUrl `response.streamUrl`.
 * @param fetch the `fetch` that sends the request. @default the global `fetch`
 * @example
 * const abort = createAbortFn(response.streamUrl);
 * button.onclick = () => abort();
 */
export function createAbortFn(streamUrl: string, fetch?: typeof globalThis.fetch): () => Promise<void> {
  const send = () => (fetch ?? globalThis.fetch)(abortUrl(streamUrl).href, ABORT);
  return once(() => stop({ method: ABORT.method, url: streamUrl }, RETRY_MS, [send]));
}

/** Returns a function that runs at most once at a time, and not again after a success. */
export function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () =>
    (running ??= run().catch((error: unknown) => {
      running = undefined;
      throw error;
    }));
}

/** Sends one request that stops a stream, by its URL or by its `Idempotency-Key`. */
type SendStop = () => Promise<Response>;

/**
 * Stops a stream. Repeats the request until the proxy confirms the stop.
 * @param timeoutMs milliseconds to retry.
 * @param sends sends the request. If the proxy refuses its credentials, the next of the functions sends another one.
 * @throws DurableNetworkError, DurableStreamError if the proxy did not confirm the stop, for example because the server
 * cannot stop by a key.
 */
export async function stop(
  target: ErrorTarget,
  timeoutMs: number,
  [send, ...others]: readonly SendStop[],
): Promise<void> {
  const call = createCall(
    { reconnectTimeoutMs: timeoutMs, retryTimeoutMs: timeoutMs, heartbeatTimeoutMs: timeoutMs },
    target,
  );
  try {
    await call.persist('request', async () => {
      const response = await send!();
      if (response.status === 204) return;
      const error = await proxyErrorOf(response, target);
      // A stream that does not exist need not be stopped.
      if (!isGone(error) || isExpired(error)) throw error;
    });
  } catch (error) {
    if (!others[0] || !isExpired(error)) throw error;
    await stop(target, timeoutMs, others);
  } finally {
    call.end('aborted', 'aborted');
  }
}
