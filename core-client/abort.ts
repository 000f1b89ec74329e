import { createCall } from './call.ts';
import { isExpired, isGone, type DurableError, type ErrorTarget } from './errors.ts';
import { ABORT, abortUrl, type ProxyClient } from './proxy-client.ts';
import { proxyErrorOf } from './proxy-error.ts';
import type { RequestRecord } from './request-records.ts';

/** How long a stop is retried, in milliseconds: the model costs money until the stop arrives. */
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
  return once(() =>
    abortStream(() => (fetch ?? globalThis.fetch)(abortUrl(streamUrl).href, ABORT), {
      method: ABORT.method,
      url: streamUrl,
    }),
  );
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

/**
 * Stops a stream by its URL.
 * @param send sends the request once.
 * @param renew gets another URL if the current one has expired; resolves with false if there is none.
 * @param timeoutMs how long to retry. @default 30,000
 * @throws DurableNetworkError, DurableStreamError if the proxy did not confirm the stop.
 */
export async function abortStream(
  send: () => Promise<Response>,
  target: ErrorTarget,
  renew?: () => Promise<boolean>,
  timeoutMs = RETRY_MS,
): Promise<void> {
  // A stream that does not exist does not run.
  const isOver = (error: DurableError) => isGone(error) && !isExpired(error);
  const stop = () => persistStop(send, target, timeoutMs, isOver);
  await stop().catch(async (error: unknown) => {
    if (!isExpired(error) || !(await renew?.())) throw error;
    await stop();
  });
}

/** Sends a stop until the proxy confirms it, or responds with an error that counts as a confirmation. */
function persistStop(
  send: () => Promise<Response>,
  target: ErrorTarget,
  timeoutMs: number,
  isOver?: (error: DurableError) => boolean,
): Promise<void> {
  const settings = {
    reconnectTimeoutMs: timeoutMs,
    retryTimeoutMs: timeoutMs,
    heartbeatTimeoutMs: timeoutMs,
  };
  const call = createCall(settings, target);
  const ask = async () => {
    const response = await send();
    if (response.status === 204) return;
    const error = await proxyErrorOf(response, target);
    if (!isOver?.(error)) throw error;
  };
  return call.persist('request', ask).finally(() => call.end('stop', 'aborted'));
}

/**
 * Stops the stream of an `Idempotency-Key`, also while the upstream has not responded to its create.
 * @param timeoutMs how long to retry. @default 30,000
 * @throws DurableNetworkError, DurableStreamError if the stream could not be stopped, for example because the server
 * does not support this request.
 */
export function abortKey(
  proxy: ProxyClient,
  idempotencyKey: string,
  target: ErrorTarget,
  timeoutMs = RETRY_MS,
): Promise<void> {
  return persistStop(() => proxy.abortKey(idempotencyKey), target, timeoutMs);
}

/**
 * Stops the answer of a stored request: by its URL, else by its key.
 * @throws DurableNetworkError, DurableStreamError as `abortKey`.
 */
export async function abortStored(
  proxy: ProxyClient,
  { streamUrl, idempotencyKey }: RequestRecord,
  timeoutMs: number,
): Promise<void> {
  try {
    if (streamUrl) {
      await abortStream(() => proxy.abort(streamUrl), {}, undefined, timeoutMs);
      return;
    }
  } catch (error) {
    // A new signature would need another request. A stop by key does not need one.
    if (!isExpired(error)) throw error;
  }
  await abortKey(proxy, idempotencyKey, {}, timeoutMs);
}
