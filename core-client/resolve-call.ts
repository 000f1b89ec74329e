import { ERROR_STATUS, type ErrorCode } from '../protocol/errors.ts';
import { IDEMPOTENCY_KEY } from '../protocol/headers.ts';
import { abortKey } from './abort.ts';
import { createBody } from './body.ts';
import type { CallContext } from './call-context.ts';
import type { RefusedCreate } from './create-result.ts';
import { createShared } from './create-stream.ts';
import { DurableStreamError, isDurableNetworkError, isExpired, isGone } from './errors.ts';
import { fingerprint, randomId } from './fingerprint.ts';
import { isSuccess } from './head.ts';
import type { UpstreamRequest } from './request.ts';
import type { RecordHandle, RequestRecord } from './request-records.ts';
import { errorResponse, headersOf, streamResponse } from './response.ts';
import { createConnection, type ConnectionStart } from './stream-connection.ts';
import { handleFrom, streamIdOf, type StreamHandle } from './stream-handle.ts';
import { trim } from './trim.ts';
import type { DurableResponse } from './types.ts';

/** Resolves one call to its `Response`: resumes a stored stream, or creates a new one. */
export interface CallResolver {
  /** Returns the response to a request: that of the unfinished answer stored for it, else a new one. */
  fetch(request: UpstreamRequest): Promise<DurableResponse>;
  /** Returns the response of the unfinished answer of an id, or null if there is none. */
  resume(requestId: string): Promise<DurableResponse | null>;
}

/** Creates the resolver of one call. */
export function createResolver(context: CallContext): CallResolver {
  const { call, settings, proxy, records, memory } = context;
  const { traits } = memory;
  const { requestId, autoResume, resumeFrom, streamId } = settings;

  /** Returns where the body begins; undefined for the first byte. */
  const offsetOf = (record?: RecordHandle) =>
    resumeFrom === 'offset' && record?.found ? record.data.offset : undefined;

  /** Opens a stream that is known or was just created. */
  async function open(start: ConnectionStart, wasResumed: boolean): Promise<DurableResponse> {
    const { stream, record, request } = start;
    const { streamUrl, contentType } = stream;
    void record?.save({ streamUrl, contentType });
    const connection = createConnection(context, { ...start, offset: offsetOf(record) });
    await connection.open();
    const body = createBody(context, connection, record);
    const ended = await body.ready();
    const { head } = connection;
    const source = { call, url: request?.url ?? '', abort: body.abort, connection };
    if (isSuccess(head)) {
      call.dispatch('open', { wasResumed, attempt: 0, error: undefined });
      return streamResponse(source, body.stream);
    }
    // An error is short. If the stream did not end with it, because it was stopped or interrupted, this throws.
    const bytes = await new Response(body.stream).arrayBuffer();
    const error = ended?.upstreamError;
    return errorResponse(
      source,
      head
        ? { ...head, headers: headersOf(connection), body: bytes }
        : {
            status: ERROR_STATUS[error?.code as ErrorCode] ?? 502,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ error }),
          },
    );
  }

  async function create(
    request: UpstreamRequest,
    key: string,
    record?: RecordHandle,
    shareKey?: string,
  ): Promise<DurableResponse> {
    const keepKey = async () => {
      if (record || request.headers.has(IDEMPOTENCY_KEY)) return;
      trim(memory.unsettled.set(records.prefix + (await fingerprint(request)), key));
    };
    const represent = offsetOf(record) === undefined && traits.pollUntil < Date.now();
    let refused: RefusedCreate;
    try {
      const { result, key: idempotencyKey } = await createShared(context, {
        request,
        key,
        shareKey,
        represent,
      });
      if ('stream' in result) {
        const { wasThere, ...start } = result;
        return await open({ ...start, record, request, idempotencyKey }, wasThere || !!record?.found);
      }
      refused = result;
    } catch (error) {
      // An SDK repeats a call that fails before its response.
      if (isDurableNetworkError(error)) await keepKey();
      throw error;
    }
    if (!refused.isFinal) await keepKey();
    else await record?.finish();
    const { error } = refused;
    const { target } = call;
    // The create was stopped, by this page or another, before the upstream responded.
    if (error?.code === 'REQUEST_ABORTED') {
      const outcome = 'aborted';
      call.end('stop', outcome, { outcome });
      throw new DurableStreamError(error.code, error.message, { outcome, status: error.status, target });
    }
    call.end('fail', 'refused', { error });
    return errorResponse({ call, url: request.url }, refused);
  }

  /** Creates, and stops the create by its key if the caller leaves and `abortUpstream` is set. */
  function createOrStop(
    request: UpstreamRequest,
    key: string,
    record?: RecordHandle,
    shareKey?: string,
  ): Promise<DurableResponse> {
    const stop = async () => {
      await abortKey(proxy, key, call.target, settings.retryTimeoutMs);
      await record?.finish();
    };
    return call.whileCreating(stop, () => create(request, key, record, shareKey));
  }

  function attach(
    stream: StreamHandle,
    record?: RecordHandle,
    request?: UpstreamRequest,
  ): Promise<DurableResponse> {
    call.dispatch('attach', { wasResumed: true });
    return open({ stream, record, request, idempotencyKey: record?.data.idempotencyKey }, true);
  }

  return {
    async fetch(request) {
      const key = request.headers.get(IDEMPOTENCY_KEY) ?? undefined;
      if (requestId === undefined) {
        if (key !== undefined || !memory.unsettled.size) return createOrStop(request, key ?? randomId());
        const name = records.prefix + (await fingerprint(request));
        const keptKey = memory.unsettled.get(name);
        memory.unsettled.delete(name);
        return createOrStop(request, keptKey ?? randomId());
      }
      const known = { fingerprint: await fingerprint(request), autoResume, key };
      const shareKey = autoResume
        ? records.prefix + JSON.stringify([requestId, key, known.fingerprint])
        : undefined;
      for (let staleKey: string | undefined; ;) {
        const record = await records.open(requestId, known, staleKey);
        const { data, found } = record;
        const { idempotencyKey } = data;
        if (!found || !hasUrl(data)) return createOrStop(request, idempotencyKey, record, shareKey);
        try {
          return await attach(data, record, request);
        } catch (error) {
          if (!isGone(error)) throw error;
          // If the URL cannot be renewed, the same key finds the stream again, unless it was deleted.
          if (isExpired(error)) return createOrStop(request, idempotencyKey, record, shareKey);
          staleKey = idempotencyKey;
        }
      }
    },

    async resume(name) {
      const { record, done } = await records.find(name);
      // The newest stream under this name. Undefined if the proxy knows none, or does not support names.
      const find = async () => handleFrom(await proxy.find(call.signal), proxy, call.target);
      const stream = record && hasUrl(record.data) ? record.data : await call.persist('request', find);
      const id = stream && streamIdOf(stream.streamUrl);
      // A stream that this client did not create is joined while it runs. If it is closed, it is returned only if the
      // caller asked for it. The stream before this request's is never returned: the name still leads to it if the
      // create never reached the proxy.
      const isWanted = id === streamId || ((record || !stream?.isClosed) && id !== done);
      try {
        if (stream && isWanted) return await attach(stream, record);
      } catch (error) {
        if (!isGone(error)) throw error;
        await record?.finish();
      }
      call.end('detach', 'interrupted');
      return null;
    },
  };
}

function hasUrl(data: RequestRecord): data is RequestRecord & StreamHandle {
  return !!data.streamUrl;
}
