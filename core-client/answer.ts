import { ERROR_STATUS, type ErrorCode } from '../protocol/errors.ts';
import { IDEMPOTENCY_KEY } from '../protocol/headers.ts';
import { abortKey, abortStream, once } from './abort.ts';
import { openBody, type Stopper } from './body.ts';
import type { Context } from './context.ts';
import { RETRY_CAP_MS } from './backoff.ts';
import type { SharedCreate } from './client-memory.ts';
import { createStream } from './create.ts';
import type { Credentials, Entry } from './credentials.ts';
import { DurableStreamError, isDurableNetworkError, isExpired, isGone } from './errors.ts';
import { fingerprint, randomId } from './fingerprint.ts';
import { isSuccess } from './head.ts';
import type { SseReader } from './reader.ts';
import type { UpstreamRequest } from './request.ts';
import { errorResponse, headersOf, streamResponse } from './response.ts';
import { makeRoom } from './make-room.ts';
import { trim } from './trim.ts';
import type { MadeStream } from './made-stream.ts';
import { handleFrom, streamIdOf, type StreamHandle } from './stream-handle.ts';
import { createLink } from './stream-link.ts';
import type { DurableResponse } from './types.ts';

/** Gets one call its Response: by taking up what is there, or by a POST. */
export interface Answer {
  /** The answer to a request: the unfinished one that is stored for it, else a new one. */
  to(request: UpstreamRequest): Promise<DurableResponse>;
  /** The unfinished answer of an id; null when there is none. */
  of(requestId: string): Promise<DurableResponse | null>;
}

export function createAnswer(context: Context): Answer {
  const { call, settings, proxy, store, memory, startedAt } = context;
  const { traits } = memory;
  const { requestId, autoResume, resumeFrom, streamId } = settings;

  /** Where the body begins; undefined: with the first byte. */
  const offsetOf = (entry?: Entry) =>
    resumeFrom === 'offset' && entry?.found ? entry.credentials.offset : undefined;

  /** Opens a stream that is known, or was opened by the POST (`reader`). */
  async function open(
    handle: StreamHandle,
    wasResumed: boolean,
    entry?: Entry,
    request?: UpstreamRequest,
    idempotencyKey?: string,
    reader?: SseReader,
  ): Promise<DurableResponse> {
    const { streamUrl, contentType } = handle;
    void entry?.save({ streamUrl, contentType });
    const link = createLink(context, handle, offsetOf(entry), entry);
    if (reader) link.reader = reader;
    else await link.connect();
    // Not before: a stream that turns out to be gone is for our caller to replace.
    if (request && idempotencyKey && !traits.isPlain) {
      link.repost = (signal) => proxy.create(request, idempotencyKey, false, signal);
    }
    const abort = once(async () => {
      stopper.isAborted = true;
      // Browsers queue the request if all connections to the origin are in use, perhaps by reads.
      const resume = makeRoom(link, memory.open);
      const send = () => proxy.abort(link.url);
      await abortStream(send, call.target, link.renew, settings.retryTimeoutMs).finally(resume);
      // Nobody takes up what was stopped.
      await entry?.finish(link.id);
      if (call.signal.aborted) call.dispatch('stop', { outcome: 'aborted' });
    });
    const stopper: Stopper = { abort: () => void abort().catch(call.warn), isAborted: false };
    const body = openBody(context, link, stopper, entry);
    call.link = link;
    const ended = await body.ready();
    const { head } = link;
    const url = request?.url ?? '';
    if (isSuccess(head)) {
      call.dispatch('open', { wasResumed, attempt: 0, error: undefined });
      return streamResponse(call, link, body.stream, abort, url);
    }
    // An error is short. If the stream did not end with it, because it was stopped or interrupted, this throws.
    const bytes = await new Response(body.stream).arrayBuffer();
    if (head) return errorResponse(call, url, { ...head, headers: headersOf(link), body: bytes });
    const error = ended?.upstreamError;
    const status = ERROR_STATUS[error?.code as ErrorCode] ?? 502;
    const headers = { 'content-type': 'application/json' };
    return errorResponse(call, url, { status, headers, body: JSON.stringify({ error }) });
  }

  /** Creates the stream. Calls of this client for the same request at the same time share one create. */
  async function createOnce(
    request: UpstreamRequest,
    key: string,
    shareKey: string | undefined,
    represent: boolean,
  ): Promise<{ made: MadeStream; usedKey: string }> {
    for (;;) {
      const shared = shareKey === undefined ? undefined : memory.creates.get(shareKey);
      if (!shared || (shared.settledAt !== undefined && shared.settledAt < startedAt)) break;
      call.dispatch('create');
      const made = await shared.made.catch((error: unknown) => {
        if (isDurableNetworkError(error)) throw error;
      });
      call.signal.throwIfAborted();
      // If the other caller has left, this call creates the stream.
      if (!made) {
        if (memory.creates.get(shareKey!) === shared) memory.creates.delete(shareKey!);
        continue;
      }
      const usedKey = shared.key;
      if (!('handle' in made)) return { made, usedKey };
      return { made: { handle: made.handle, reader: undefined, wasThere: true }, usedKey };
    }
    const making = createStream(context, request, key, represent);
    if (shareKey === undefined) return { made: await making, usedKey: key };
    const shared: SharedCreate = {
      key,
      // The reader belongs to the first call.
      made: making.then((made) => ('handle' in made ? { ...made, reader: undefined } : made)),
      settledAt: undefined,
    };
    memory.creates.delete(shareKey);
    trim(memory.creates.set(shareKey, shared));
    // Set before any caller continues, so that no later call takes the create for one in progress.
    const settle = () => void (shared.settledAt ??= memory.calls);
    shared.made.then(settle, settle);
    return { made: await making.finally(settle), usedKey: key };
  }

  async function create(
    request: UpstreamRequest,
    key: string,
    entry?: Entry,
    shareKey?: string,
  ): Promise<DurableResponse> {
    const keepKey = async () => {
      if (entry || request.headers.has(IDEMPOTENCY_KEY)) return;
      trim(memory.unsettled.set(store.prefix + (await fingerprint(request)), key));
    };
    const represent = offsetOf(entry) === undefined && traits.pollUntil < Date.now();
    call.abortCreate = async () => {
      await abortKey(proxy, key, call.target, settings.retryTimeoutMs);
      await entry?.finish();
    };
    let made: MadeStream;
    try {
      const { made: own, usedKey } = await createOnce(request, key, shareKey, represent);
      made = own;
      if ('handle' in made) {
        const { handle, reader, wasThere } = made;
        return await open(handle, wasThere || !!entry?.found, entry, request, usedKey, reader);
      }
    } catch (error) {
      // An SDK repeats a call that fails before its response.
      if (isDurableNetworkError(error)) await keepKey();
      throw error;
    } finally {
      call.abortCreate = undefined;
    }
    if (!made.isSettled) await keepKey();
    else await entry?.finish();
    const { error } = made;
    // The create was stopped, by this page or another, before the upstream responded.
    if (error?.code === 'REQUEST_ABORTED') {
      const { code, message, status } = error;
      const outcome = 'aborted';
      call.end('stop', outcome, { outcome });
      throw new DurableStreamError(code, message, { outcome, status, target: call.target });
    }
    call.end('fail', 'refused', { error });
    return errorResponse(call, request.url, made);
  }

  function attach(handle: StreamHandle, entry?: Entry, request?: UpstreamRequest): Promise<DurableResponse> {
    call.dispatch('attach', { wasResumed: true });
    return open(handle, true, entry, request, entry?.credentials.idempotencyKey);
  }

  /** The proxy's word on the newest stream under a name; undefined when it knows none, or no names. */
  const find = () =>
    call.persist(async () => handleFrom(await proxy.find(call.signal), proxy, call.target), {
      timeoutMs: settings.retryTimeoutMs,
      capMs: RETRY_CAP_MS,
    });

  return {
    async to(request) {
      const key = request.headers.get(IDEMPOTENCY_KEY) ?? undefined;
      if (requestId === undefined) {
        if (key !== undefined || !memory.unsettled.size) return create(request, key ?? randomId());
        const print = store.prefix + (await fingerprint(request));
        const kept = memory.unsettled.get(print);
        memory.unsettled.delete(print);
        return create(request, kept ?? randomId());
      }
      const known = { fingerprint: await fingerprint(request), autoResume, key };
      const shareKey = autoResume
        ? store.prefix + JSON.stringify([requestId, key, known.fingerprint])
        : undefined;
      for (let staleKey: string | undefined; ;) {
        const entry = await store.open(requestId, known, staleKey);
        const { credentials, found } = entry;
        const { idempotencyKey } = credentials;
        if (!found || !hasUrl(credentials)) return create(request, idempotencyKey, entry, shareKey);
        try {
          return await attach(credentials, entry, request);
        } catch (error) {
          if (!isGone(error)) throw error;
          // A URL that nobody renews: the same key finds the stream again. A stream that is gone: nothing does.
          if (isExpired(error)) return create(request, idempotencyKey, entry, shareKey);
          staleKey = idempotencyKey;
        }
      }
    },

    async of(name) {
      const { entry, done } = await store.find(name);
      const handle = entry && hasUrl(entry.credentials) ? entry.credentials : await find();
      const id = handle && streamIdOf(handle.streamUrl);
      // What this client did not begin is joined while it runs; once it is over it is history, unless it is the
      // one that was asked for. So is the answer before, which the name still leads to when the question never
      // reached the proxy.
      const isNews = id === streamId || ((entry || !handle?.isClosed) && id !== done);
      try {
        if (handle && isNews) return await attach(handle, entry);
      } catch (error) {
        if (!isGone(error)) throw error;
        await entry?.finish();
      }
      call.end('detach', 'interrupted');
      return null;
    },
  };
}

function hasUrl(credentials: Credentials): credentials is Credentials & StreamHandle {
  return !!credentials.streamUrl;
}
