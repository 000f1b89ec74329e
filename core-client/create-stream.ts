import { IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED, RETURN_REPRESENTATION } from '../protocol/headers.ts';
import type { CallContext } from './call-context.ts';
import type { SharedCreate } from './client-memory.ts';
import type { CreateResult, RefusedCreate } from './create-result.ts';
import { isDurableNetworkError, isDurableStreamError, lostContact } from './errors.ts';
import { isUpstreamError, proxyErrorOf } from './proxy-error.ts';
import type { UpstreamRequest } from './request.ts';
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
async function createStream(
  { call, settings, proxy, memory: { traits } }: CallContext,
  request: UpstreamRequest,
  idempotencyKey: string,
  represent: boolean,
): Promise<CreateResult> {
  const { signal, target } = call;
  let refused: RefusedCreate | undefined;
  /** Throws an error that may be retried, unless the server ignores keys: a retry may be a second upstream request. */
  const lose = (cause: unknown): never => {
    if (!traits.isPlain) throw cause;
    throw lostContact(cause, target);
  };
  const create = async (): Promise<CreateResult> => {
    refused = undefined;
    const isFirst = call.resumption.attempt === 0;
    const response = await proxy.create(request, idempotencyKey, represent, signal).catch(lose);
    const { ok, status, headers } = response;
    const stream = ok ? handleOf(response, proxy) : undefined;
    if (stream) {
      const applied = headers.get(PREFERENCE_APPLIED)?.includes(RETURN_REPRESENTATION);
      const reader =
        applied && isEventStream(response)
          ? readSse(response, settings.heartbeatTimeoutMs, () => proxy.release(response))
          : proxy.release(response);
      if (represent) traits.isPlain = !applied;
      call.progress();
      return { stream, reader, wasThere: isFirst && headers.has(IDEMPOTENCY_REPLAYED) };
    }
    // A truncated body does not change the meaning of the status.
    const body = ok ? new ArrayBuffer() : await response.arrayBuffer().catch(() => new ArrayBuffer());
    proxy.release(response);
    if (!ok && isUpstreamError(response)) return { status, headers, body, isFinal: true };
    const error = await proxyErrorOf(response, target, new TextDecoder().decode(body));
    if (!isDurableStreamError(error)) return lose(error);
    // Only a server that supports keys sends `Retry-After` with these errors. It continues the upstream request, or has
    // not sent it. The first 429 is returned to the caller, because the wait may be long.
    const canRetry = !!error.retryAfterMs && !traits.isPlain && (status !== 429 || !isFirst);
    refused = { status, headers, body, isFinal: !canRetry && status !== 401 && status !== 429, error };
    if (!canRetry) return refused;
    // The proxy says that the upstream is still at work: this is contact, not a failure.
    if (error.code === 'UPSTREAM_TIMEOUT') call.progress();
    throw error;
  };
  call.dispatch('create');
  try {
    return await call.persist('request', create);
  } catch (error) {
    // The last response of the proxy says more than that the time is over.
    if (refused && isDurableNetworkError(error)) return refused;
    throw error;
  }
}

/** A create of one call. */
export interface CreateOptions {
  readonly request: UpstreamRequest;
  readonly key: string;
  /** Calls with the same value share one create. Undefined: not shared. */
  readonly shareKey: string | undefined;
  /** True to ask for the stream's bytes in the response. */
  readonly represent: boolean;
}

/**
 * Creates the stream. Calls of this client for the same request at the same time share one create.
 * @returns the result, and the key that it was created with.
 * @throws DurableNetworkError as `createStream`.
 */
export async function createShared(
  context: CallContext,
  { request, key, shareKey, represent }: CreateOptions,
): Promise<{ readonly result: CreateResult; readonly key: string }> {
  const { call, memory, startedAt } = context;
  const create = () => createStream(context, request, key, represent);
  if (shareKey === undefined) return { result: await create(), key };
  for (;;) {
    const shared = memory.creates.get(shareKey);
    if (!shared || (shared.endedAt !== undefined && shared.endedAt < startedAt)) break;
    call.dispatch('create');
    const result = await shared.result.catch((error: unknown) => {
      if (isDurableNetworkError(error)) throw error;
    });
    call.signal.throwIfAborted();
    if (result) {
      return { result: 'stream' in result ? { ...result, wasThere: true } : result, key: shared.key };
    }
    // If the other caller has left, this call creates the stream.
    if (memory.creates.get(shareKey) === shared) memory.creates.delete(shareKey);
  }
  const creating = create();
  const shared: SharedCreate = {
    key,
    // The reader belongs to this call.
    result: creating.then((result) => ('stream' in result ? { ...result, reader: undefined } : result)),
    endedAt: undefined,
  };
  memory.creates.delete(shareKey);
  trim(memory.creates.set(shareKey, shared));
  // Set before any caller continues, so that no later call takes this create for one in progress.
  const end = () => void (shared.endedAt ??= memory.calls);
  shared.result.then(end, end);
  return { result: await creating.finally(end), key };
}
