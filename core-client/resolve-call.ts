import { ERROR_STATUS, type ErrorCode } from '../protocol/errors.ts';
import { IDEMPOTENCY_KEY } from '../protocol/headers.ts';
import { stop } from './abort.ts';
import { createBody } from './body.ts';
import type { CallContext } from './call-context.ts';
import type { CreatedStream } from './create-result.ts';
import { createShared, createStream } from './create-stream.ts';
import { isDurableNetworkError, isExpired, isGone } from './errors.ts';
import { fingerprint, randomId } from './fingerprint.ts';
import { isSuccess } from './head.ts';
import type { UpstreamRequest } from './request.ts';
import type { RecordHandle } from './request-records.ts';
import { createResponse } from './response.ts';
import { isOver } from './state.ts';
import { createConnection } from './stream-connection.ts';
import { handleFrom, streamIdOf, type StreamHandle } from './stream-handle.ts';
import { trim } from './trim.ts';
import type { DurableResponse } from './types.ts';

/**
 * Resolves one call to its `Response`.
 * @param request the upstream request. Undefined to attach to an answer without a request.
 * @returns the response of the unfinished answer that is stored for the call. Without one: for a request, the response
 * of a new answer; without a request, null.
 */
export async function resolveCall(
  context: CallContext,
  request: UpstreamRequest | undefined,
): Promise<DurableResponse | null> {
  const { call, settings, proxy, records, memory, onStored } = context;
  const url = request?.url ?? '';

  /** Returns where the body begins; undefined for the first byte. */
  const offsetOf = (record?: RecordHandle) =>
    settings.resumeFrom === 'offset' && record?.found ? record.data.offset : undefined;

  /** Opens a stream that is known or was just created. */
  async function open(
    { wasThere, ...start }: CreatedStream,
    record?: RecordHandle,
  ): Promise<DurableResponse> {
    const { streamUrl, contentType } = start.stream;
    void record?.save({ streamUrl, contentType });
    const connection = createConnection(context, { ...start, record, request, offset: offsetOf(record) });
    const { stream, ready, abort } = createBody(context, connection, record);
    const ended = await ready();
    const error = ended?.upstreamError;
    const { head } = connection;
    const status = head?.status ?? ERROR_STATUS[error?.code as ErrorCode] ?? 502;
    const type = head ? head.contentType || contentType : 'application/json';
    const headers = new Headers(head?.headers as [string, string][] | undefined);
    if (type) headers.set('content-type', type);
    if (isSuccess(head)) {
      const wasResumed = wasThere || !!record?.found;
      call.dispatch('streaming', { wasResumed, attempt: 0, error: undefined });
      return createResponse(
        { call, url, abort, connection, contentType: type },
        { status, headers, body: stream },
      );
    }
    // The body of an error is short. This throws if the stream was stopped or interrupted before its end.
    const bytes = await new Response(stream).arrayBuffer();
    return createResponse({ call, url }, { status, headers, body: head ? bytes : JSON.stringify({ error }) });
  }

  /** Attaches to a stream that an earlier call created. */
  function attach(stream: StreamHandle, record?: RecordHandle): Promise<DurableResponse> {
    call.dispatch('reconnecting', { wasResumed: true });
    return open({ stream, wasThere: true, idempotencyKey: record?.data.idempotencyKey }, record);
  }

  if (!request) {
    const { record: kept, done } = await records.find(settings.requestId!);
    // The newest stream under this name. Undefined if the proxy knows none, or does not support names.
    const find = (key?: string) =>
      call.persist('request', async () =>
        handleFrom(
          await proxy.find(call.signal, undefined, key ? { [IDEMPOTENCY_KEY]: key } : undefined),
          proxy,
          call.target,
        ),
      );
    const keptId = kept?.data.streamUrl && streamIdOf(kept.data.streamUrl);
    // Not the record of another stream than the caller asked for.
    let record = keptId && keptId !== (settings.streamId ?? keptId) ? undefined : kept;
    let stream: StreamHandle | undefined;
    if (record) {
      stream = record.data.streamUrl
        ? (record.data as StreamHandle)
        : // If the create did not reach the proxy, the name refers to another stream (FIND-10).
          await find(record.data.idempotencyKey);
      if (!stream) record = undefined;
    }
    stream ??= await find();
    const id = stream && streamIdOf(stream.streamUrl);
    // A stream that this client did not create is returned while it runs. If it is closed, it is returned only if the
    // caller asked for it by its id. The previous stream is never returned.
    const isWanted = id === settings.streamId || ((record || !stream?.isClosed) && id !== done);
    try {
      if (stream && isWanted) return await attach(stream, record);
    } catch (error) {
      if (!isGone(error)) throw error;
      // If the proxy refuses the caller, it has not said anything about the stream.
      if (isExpired(error)) {
        const response = await proxy.find(call.signal);
        proxy.release(response);
        if (response.status === 401) throw error;
      }
      await record?.finish();
    }
    call.end('idle', 'interrupted');
    return null;
  }

  const ownKey = request.headers.get(IDEMPOTENCY_KEY) ?? undefined;
  /** Name of the request in `memory.unsettled`. */
  const nameOf = async () => records.prefix + (await fingerprint(request));

  /** Creates the stream, and stops the create by its key if the caller leaves and `abortUpstream` is set. */
  const create = async (key: string, record?: RecordHandle, shareKey?: string) => {
    const keepKey = async () => {
      if (record || ownKey !== undefined) return;
      const name = await nameOf();
      trim(memory.unsettled.set(name, [...(memory.unsettled.get(name) ?? []), key]));
    };
    const represent = offsetOf(record) === undefined && memory.pollUntil < Date.now();
    const stopCreate = async () => {
      await stop(call.target, settings.retryTimeoutMs, [() => proxy.abortKey(key)]);
      await record?.finish();
    };
    call.listen({ stopCreate });
    // The caller left before anything was sent. With `abortUpstream`, only an earlier call's create has to be stopped.
    if (isOver(call.resumption.status)) {
      await (record?.found ? stopCreate() : record?.finish());
      throw new Error('The caller left');
    }
    try {
      const result = await createShared(context, shareKey, () =>
        createStream(context, request, key, represent),
      );
      if ('stream' in result) return await open(result, record);
      const { error, isFinal } = result;
      if (isFinal) await record?.finish();
      else await keepKey();
      // The create was stopped, by this page or another, before the upstream responded.
      if (error?.outcome) {
        call.end('aborted', 'aborted', { outcome: 'aborted' });
        throw error;
      }
      call.end('failed', 'refused', { error });
      return createResponse({ call, url }, result);
    } catch (error) {
      // An SDK repeats a call that fails before its response.
      if (isDurableNetworkError(error)) await keepKey();
      throw error;
    }
  };

  const { requestId, autoResume } = settings;
  if (requestId === undefined) {
    const name = ownKey === undefined && memory.unsettled.size ? await nameOf() : '';
    // Each of several calls for the same request has a key of its own.
    const [keptKey, ...others] = memory.unsettled.get(name) ?? [];
    if (others[0]) memory.unsettled.set(name, others);
    else memory.unsettled.delete(name);
    return create(ownKey ?? keptKey ?? randomId());
  }
  const known = { fingerprint: await fingerprint(request), autoResume, key: ownKey };
  const shareKey = autoResume
    ? records.prefix + JSON.stringify([requestId, ownKey, known.fingerprint])
    : undefined;
  for (let staleKey: string | undefined; ;) {
    const record = await records.open(requestId, known, staleKey);
    onStored?.(record);
    const { data } = record;
    const { idempotencyKey } = data;
    if (!record.found || !data.streamUrl) return create(idempotencyKey, record, shareKey);
    try {
      return await attach(data as StreamHandle, record);
    } catch (error) {
      if (!isGone(error)) throw error;
      // If the URL cannot be renewed, the same key finds the stream again, unless it was deleted.
      if (isExpired(error)) return create(idempotencyKey, record, shareKey);
      staleKey = idempotencyKey;
    }
  }
}
