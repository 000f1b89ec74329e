import { IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED, RETURN_REPRESENTATION } from '../protocol/headers.ts';
import type { CallContext } from './call-context.ts';
import type { SharedCreate } from './client-memory.ts';
import type { CreateResult, RefusedCreate } from './create-result.ts';
import { isDurableNetworkError, isDurableStreamError, lostContact } from './errors.ts';
import { errorBody, isUpstreamError, proxyErrorOf } from './proxy-error.ts';
import type { UpstreamRequest } from './request.ts';
import { errorHead } from './response.ts';
import { readSse } from './sse-reader.ts';
import { handleOf, isEventStream } from './stream-handle.ts';
import { trim } from './trim.ts';

/**
 * Creates the stream, or finds the one that was created under the same key. Repeats a POST without a response of the
 * proxy under the same key, so that the upstream is called once.
 * @param represent true to ask for the stream's bytes in the response.
 * @returns the error response if the upstream or the proxy refused the request.
 * @throws DurableNetworkError if no response of the proxy arrived in `retryTimeoutMs`.
 */
export async function createStream(
  { call, settings, proxy, memory }: CallContext,
  request: UpstreamRequest,
  idempotencyKey: string,
  represent: boolean,
): Promise<CreateResult> {
  let refused: RefusedCreate | undefined;
  /** Throws an error that may be retried, unless the server ignores keys: a retry may be a second upstream request. */
  const lose = (cause: unknown): never => {
    if (!memory.isPlain) throw cause;
    throw lostContact(cause, call.target);
  };
  const create = async (): Promise<CreateResult> => {
    refused = undefined;
    const isFirst = call.resumption.attempt === 0;
    const response = await proxy.create(request, idempotencyKey, represent, call.signal).catch(lose);
    const { ok, status, headers } = response;
    const stream = ok ? handleOf(response, proxy) : undefined;
    if (stream) {
      const applied = headers.get(PREFERENCE_APPLIED)?.includes(RETURN_REPRESENTATION);
      if (represent) memory.isPlain = !applied;
      call.progress();
      return {
        stream,
        reader:
          applied && isEventStream(response)
            ? readSse(response, settings.heartbeatTimeoutMs, proxy.release)
            : proxy.release(response),
        wasThere: isFirst && headers.has(IDEMPOTENCY_REPLAYED),
        idempotencyKey,
      };
    }
    const body = await errorBody(response);
    proxy.release(response);
    const reply = { ...errorHead(response), body };
    if (isUpstreamError(response)) return { ...reply, isFinal: true };
    const error = await proxyErrorOf(response, call.target, body);
    if (!isDurableStreamError(error)) return lose(error);
    // Only a server that supports keys sends `Retry-After` with these errors. It continues the upstream request, or has
    // not sent it. The first 429 is returned to the caller, because the wait may be long.
    const canRetry = error.retryAfterMs && !memory.isPlain && (status !== 429 || !isFirst);
    refused = { ...reply, isFinal: !canRetry && status !== 401 && status !== 429, error };
    if (!canRetry) return refused;
    // The upstream is still working and the proxy responds, so this is not a failed attempt.
    if (error.code === 'UPSTREAM_TIMEOUT') call.progress();
    throw error;
  };
  call.dispatch('creating');
  try {
    return await call.persist('request', create);
  } catch (error) {
    // The last response of the proxy is more specific than an error that says that the time is over.
    if (refused && isDurableNetworkError(error)) return refused;
    throw error;
  }
}

/**
 * Creates the stream. Calls of this client for the same request at the same time share one create and its key.
 * @param shareKey calls with the same value share one create. Undefined: not shared.
 * @param create calls `createStream`.
 * @throws DurableNetworkError as `createStream`.
 */
export async function createShared(
  { call, memory, startedAt }: CallContext,
  shareKey: string | undefined,
  create: () => Promise<CreateResult>,
): Promise<CreateResult> {
  if (shareKey === undefined) return create();
  for (;;) {
    const other = memory.creates.get(shareKey);
    if (!other || other.endedAt < startedAt) break;
    call.dispatch('creating');
    const result = await other.result.catch((error: unknown) => {
      if (isDurableNetworkError(error)) throw error;
    });
    call.signal.throwIfAborted();
    // The reader belongs to the other call.
    if (result) return 'stream' in result ? { ...result, reader: undefined, wasThere: true } : result;
    // If the other caller has left, this call creates the stream.
    if (memory.creates.get(shareKey) === other) memory.creates.delete(shareKey);
  }
  const own: SharedCreate = { result: create(), endedAt: Infinity };
  memory.creates.delete(shareKey);
  trim(memory.creates.set(shareKey, own));
  // Set before any caller continues, so that no later call takes this create for one in progress.
  return own.result.finally(() => (own.endedAt = memory.calls));
}
