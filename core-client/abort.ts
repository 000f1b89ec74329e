import { RETRY_CAP_MS } from './backoff.ts';
import { createCall } from './call.ts';
import type { Credentials } from './credentials.ts';
import { isExpired, isGone, type DurableError, type ErrorTarget } from './errors.ts';
import { ABORT, abortUrl, type ProxyClient } from './proxy-client.ts';
import { refusal } from './refusal.ts';

/** How long a stop is retried, in milliseconds: a stop that is lost costs money. */
const RETRY_MS = 30_000;

/**
 * Returns a function that stops the upstream of a stream. What was received so far stays readable. It may be called
 * again.
 * @param streamUrl `response.streamUrl`.
 * @param fetch the fetch to use. @default the global one
 * @throws DurableNetworkError, DurableStreamError if the proxy did not confirm the stop within 30 seconds.
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
 * Stops a stream.
 * @param send sends the request once.
 * @param renew gets another URL in place of an expired one; resolves with false if there is none.
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
async function persistStop(
  send: () => Promise<Response>,
  target: ErrorTarget,
  timeoutMs: number,
  isOver?: (error: DurableError) => boolean,
): Promise<void> {
  const call = createCall({ reconnectTimeoutMs: timeoutMs, heartbeatTimeoutMs: timeoutMs }, target);
  const ask = async () => {
    const response = await send();
    if (response.status === 204) return;
    const refused = await refusal(response, target);
    if (!isOver?.(refused)) throw refused;
  };
  await call.persist(ask, { capMs: RETRY_CAP_MS }).finally(() => call.end('stop', 'aborted'));
}

/**
 * Stops the stream of an `Idempotency-Key`, also while the upstream has not responded to its create.
 *
 * @throws DurableNetworkError, DurableStreamError if it could not be stopped, as by a server that does not
 * support this request.
 */
export function abortKey(
  proxy: ProxyClient,
  idempotencyKey: string,
  target: ErrorTarget,
  timeoutMs = RETRY_MS,
): Promise<void> {
  return persistStop(() => proxy.abortKey(idempotencyKey), target, timeoutMs);
}

/** Stops the answer that these credentials belong to: by its URL, else by its key. Throws as `abortKey`. */
export async function abortStored(
  proxy: ProxyClient,
  { streamUrl, idempotencyKey }: Credentials,
  timeoutMs = RETRY_MS,
): Promise<void> {
  try {
    if (streamUrl) {
      await abortStream(() => proxy.abort(streamUrl), {}, undefined, timeoutMs);
      return;
    }
  } catch (error) {
    // A new signature would be a second request. The key needs none.
    if (!isExpired(error)) throw error;
  }
  await abortKey(proxy, idempotencyKey, {}, timeoutMs);
}
