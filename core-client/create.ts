import { IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED, RETURN_REPRESENTATION } from '../protocol/headers.ts';
import { RETRY_CAP_MS } from './backoff.ts';
import type { Context } from './context.ts';
import { isDurableNetworkError, isDurableStreamError, lostContact } from './errors.ts';
import type { MadeStream, Refused } from './made-stream.ts';
import { readSse } from './reader.ts';
import { isUpstreamError, refusal } from './refusal.ts';
import type { UpstreamRequest } from './request.ts';
import { handleOf, isEventStream } from './stream-handle.ts';

/**
 * Creates the stream, or finds the one that was created under the same key. Repeats a POST without an answer of the
 * proxy under the same key, so that the upstream is called once.
 * @returns the error response if the upstream or the proxy refused the request.
 * @throws DurableNetworkError if no answer of the proxy arrived in `retryTimeoutMs`.
 */
export async function createStream(
  { call, settings, proxy, memory: { traits } }: Context,
  request: UpstreamRequest,
  idempotencyKey: string,
  represent: boolean,
): Promise<MadeStream> {
  const { signal, target } = call;
  let refused: Refused | undefined;
  /** Throws what may be retried, unless the server ignores keys: then a retry may be a second upstream request. */
  const lose = (cause: unknown): never => {
    if (!traits.isPlain) throw cause;
    throw lostContact(cause, target);
  };
  call.dispatch('create');
  const create = async (): Promise<MadeStream> => {
    refused = undefined;
    const isFirst = call.resumption.attempt === 0;
    const response = await proxy.create(request, idempotencyKey, represent, signal).catch(lose);
    const { ok, status, headers } = response;
    const handle = ok ? handleOf(response, proxy) : undefined;
    if (handle) {
      const applied = headers.get(PREFERENCE_APPLIED)?.includes(RETURN_REPRESENTATION);
      const reader =
        applied && isEventStream(response)
          ? readSse(response, settings.heartbeatTimeoutMs, () => proxy.release(response))
          : proxy.release(response);
      if (represent) traits.isPlain = !applied;
      call.progress();
      return { handle, reader, wasThere: isFirst && headers.has(IDEMPOTENCY_REPLAYED) };
    }
    // A body that breaks off does not change what the status says.
    const body = ok ? new ArrayBuffer() : await response.arrayBuffer().catch(() => new ArrayBuffer());
    proxy.release(response);
    if (!ok && isUpstreamError(response)) return { status, headers, body, isSettled: true };
    const error = await refusal(response, target, new TextDecoder().decode(body));
    if (!isDurableStreamError(error)) return lose(error);
    // Only a server with keys sends `Retry-After` with these and keeps, or never began, the upstream request. 429 is
    // the caller's to handle at first: the wait may be long.
    const canRetry = !!error.retryAfterMs && !traits.isPlain && (status !== 429 || !isFirst);
    refused = { status, headers, body, isSettled: !canRetry && status !== 401 && status !== 429, error };
    if (!canRetry) return refused;
    // The proxy says that the upstream is still at work: this is contact, not a failure.
    if (error.code === 'UPSTREAM_TIMEOUT') call.progress();
    throw error;
  };
  try {
    return await call.persist(create, { timeoutMs: settings.retryTimeoutMs, capMs: RETRY_CAP_MS });
  } catch (error) {
    // The last answer of the proxy says more than that the time is over.
    if (refused && isDurableNetworkError(error)) return refused;
    throw error;
  }
}
