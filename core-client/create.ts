import { IDEMPOTENCY_REPLAYED, PREFERENCE_APPLIED, UPSTREAM_STATUS } from '../protocol/headers.ts';
import type { Context } from './context.ts';
import { DurableNetworkError, DurableStreamError } from './errors.ts';
import { discard, refusal } from './proxy-client.ts';
import { readSse, type SseReader } from './reader.ts';
import type { UpstreamRequest } from './request.ts';
import { handleOf, isEventStream, type StreamHandle } from './stream-link.ts';

/** Attempts to get a POST answered: nobody waits five minutes for a server that is not there. */
export const CREATE_ATTEMPTS = 5;

export interface Created {
  readonly handle: StreamHandle;
  /** The stream from its beginning, when the proxy sent it along. */
  readonly reader: SseReader | undefined;
  /** An earlier call had made it. */
  readonly wasThere: boolean;
}

/**
 * Makes the stream, or finds the one that was made under the same key. A POST whose answer got lost is sent
 * again: the key sees to it that the upstream is called once.
 * @returns the proxy's answer as it is when that is an error.
 */
export async function createStream(
  { call, settings, proxy, traits }: Context,
  request: UpstreamRequest,
  idempotencyKey: string,
  represent: boolean,
): Promise<Created | Response> {
  const { signal, target } = call;
  call.dispatch('create');
  return call.persist(async () => {
    const isFirst = call.resumption.attempt === 0;
    const response = await proxy
      .create(request, idempotencyKey, represent, signal)
      .catch((cause: unknown) => {
        throw traits.isPlain
          ? new DurableNetworkError('NETWORK_ERROR', 'The proxy did not answer', { cause, target })
          : cause;
      });
    const { status, headers } = response;
    if (!response.ok) {
      // On the first attempt an error is the caller's, as with fetch. Later it may be a proxy that comes back.
      if (isFirst || headers.has(UPSTREAM_STATUS) || (status !== 429 && status !== 503)) return response;
      throw await refusal(response, target);
    }
    const handle = handleOf(response, proxy);
    const applied = headers.has(PREFERENCE_APPLIED);
    const reader =
      handle && applied && isEventStream(response)
        ? readSse(response, settings.heartbeatTimeoutMs)
        : discard(response);
    if (!handle) {
      const message = 'The proxy named no stream; is proxyUrl right?';
      throw new DurableStreamError('INVALID_RESPONSE', message, { status, target });
    }
    if (represent) traits.isPlain = !applied;
    call.progress();
    return { handle, reader, wasThere: isFirst && headers.has(IDEMPOTENCY_REPLAYED) };
  }, CREATE_ATTEMPTS);
}
