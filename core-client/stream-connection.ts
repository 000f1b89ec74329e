import type { UpstreamHead } from '../protocol/control.ts';
import { STREAM_NEXT_OFFSET } from '../protocol/headers.ts';
import { CURSOR, LIVE, LIVE_LONG_POLL, LIVE_SSE, OFFSET, OFFSET_START } from '../protocol/query.ts';
import type { CallContext } from './call-context.ts';
import type { PausableRead } from './client-memory.ts';
import { isExpired } from './errors.ts';
import { isSuccess } from './head.ts';
import type { Mutable } from './mutable.ts';
import { readPolls } from './poll-reader.ts';
import { proxyErrorOf } from './proxy-error.ts';
import type { UpstreamRequest } from './request.ts';
import type { RecordHandle } from './request-records.ts';
import { readSse, type PartReader, type StreamPart } from './sse-reader.ts';
import { handleFrom, isEventStream, streamIdOf, type StreamHandle } from './stream-handle.ts';
import { trim } from './trim.ts';

/** Connects to one stream, as often as necessary. Owns the URL, its renewal, the read position and the reader. */
export interface StreamConnection extends PausableRead {
  readonly id: string;
  readonly url: string;
  readonly contentType: string | undefined;
  /** Status and headers of the upstream's response. Undefined until they are known. */
  readonly head: UpstreamHead | undefined;
  /**
   * Opens the stream at the read position, if no connection is open. Retries.
   * @throws DurableStreamError if the proxy refuses, DurableNetworkError if the retry time is over, the signal's reason
   * if the caller leaves.
   */
  open(): Promise<void>;
  /**
   * Returns the next part of the stream, and moves the read position past it. Reconnects if the connection is lost.
   * @throws as `open`.
   */
  next(): Promise<StreamPart>;
  close(): void;
  /** Gets a fresh URL of this stream. Resolves with false if the proxy does not return one. */
  renew(signal?: AbortSignal): Promise<boolean>;
}

/** What a connection starts with. */
export interface ConnectionStart {
  readonly stream: StreamHandle;
  /** Where to begin. @default the first byte */
  readonly offset?: string | undefined;
  /** An open reader: the response to the create. */
  readonly reader?: PartReader | undefined;
  /** Stores a renewed URL. */
  readonly record?: RecordHandle | undefined;
  /** The create of this stream. Sent again under the same key, it returns a fresh URL. */
  readonly request?: UpstreamRequest | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** Connections without a byte after which a server in between seems to buffer SSE. */
const MUTE_LIMIT = 2;
/** How long to use long-poll before trying SSE again, in milliseconds. */
const POLL_MS = 300_000;
/** How much longer than a heartbeat a long-poll may take, in milliseconds: servers hold it for about 20 s. */
const POLL_EXTRA_MS = 30_000;

/** Creates a connection to a stream, and registers it with the client until the call is over. */
export function createConnection(
  { call, settings, proxy, memory: { traits, reads } }: CallContext,
  { stream, offset = OFFSET_START, reader, record, request, idempotencyKey }: ConnectionStart,
): StreamConnection {
  const { heartbeatTimeoutMs } = settings;
  const { signal, target } = call;
  const id = streamIdOf(stream.streamUrl);
  /** If the first connection fails, the caller creates the stream anew: a renewal must not. */
  let wasOpen = !!reader;
  let cursor: string | undefined;
  let mute = 0;
  let attempt: AbortController | undefined;
  let paused: Promise<unknown> | undefined;
  let isPaused = false;

  async function renew(signal?: AbortSignal): Promise<boolean> {
    const find = settings.streamKey && (() => proxy.find(signal));
    const repeat =
      request &&
      idempotencyKey &&
      wasOpen &&
      !traits.isPlain &&
      (() => proxy.create(request, idempotencyKey, false, signal));
    for (const ask of [find, repeat]) {
      const handle = ask && (await handleFrom(await ask(), proxy, target));
      if (!handle) continue;
      if (streamIdOf(handle.streamUrl) === id) {
        const { streamUrl } = handle;
        connection.url = streamUrl;
        void record?.save({ streamUrl });
        return true;
      }
      // The server no longer knows the key, so the POST created another stream, which would have no reader.
      if (handle.isNew) proxy.abort(handle.streamUrl).then(proxy.release, call.warn);
    }
    return false;
  }

  /** Sends one read. `pause` and the caller's signal end it. */
  async function read(live: string, timeoutMs: number): Promise<Response> {
    const own = (attempt = new AbortController());
    const onAbort = () => own.abort(signal.reason);
    signal.addEventListener('abort', onAbort);
    try {
      const query = { [OFFSET]: offset, [LIVE]: live, ...(cursor && { [CURSOR]: cursor }) };
      const response = await proxy.read(connection.url, query, own.signal, timeoutMs);
      const { ok, headers } = response;
      if (ok && (live === LIVE_SSE ? isEventStream(response) : headers.has(STREAM_NEXT_OFFSET)))
        return response;
      const error = await proxyErrorOf(response, target);
      proxy.release(response);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async function connectOnce(): Promise<PartReader> {
    for (;;) {
      await paused;
      signal.throwIfAborted();
      if (mute >= MUTE_LIMIT) {
        traits.pollUntil = Date.now() + POLL_MS;
        mute--;
      }
      if (traits.pollUntil > Date.now()) {
        const poll = () => read(LIVE_LONG_POLL, heartbeatTimeoutMs + POLL_EXTRA_MS);
        return readPolls(poll, traits.pollUntil, () => attempt?.abort());
      }
      try {
        const response = await read(LIVE_SSE, heartbeatTimeoutMs);
        return readSse(response, heartbeatTimeoutMs, () => proxy.release(response));
      } catch (error) {
        // A server that buffers may hold back the headers, too.
        if ((error as Error).name === 'TimeoutError') mute++;
        if (!paused || signal.aborted) throw error;
      }
    }
  }

  async function open(): Promise<PartReader> {
    if (reader) return reader;
    const connect = () => call.persist('read', connectOnce);
    reader = await connect().catch(async (error: unknown) => {
      if (!isExpired(error) || !(await call.persist('read', () => renew(signal)))) throw error;
      return connect();
    });
    wasOpen = true;
    return reader;
  }

  const connection: Mutable<StreamConnection> = {
    id,
    url: stream.streamUrl,
    head: reader?.head,
    get contentType() {
      return connection.head?.contentType || stream.contentType;
    },
    async open() {
      await open();
    },
    async next() {
      for (;;) {
        const current = await open();
        connection.head ??= current.head;
        call.dispatch(isSuccess(connection.head) ? 'open' : 'create');
        let lost: unknown;
        try {
          const part = await current.next();
          if (part) {
            connection.head ??= part.control.upstreamHead ?? current.head;
            offset = part.control.streamNextOffset;
            cursor = part.control.streamCursor;
            return part;
          }
        } catch (error) {
          lost = error;
        }
        signal.throwIfAborted();
        current.close();
        reader = undefined;
        mute = current.isMute ? mute + 1 : 0;
        if (isPaused) isPaused = false;
        else if (!current.isAlive) await call.retry(lost ?? new Error('The connection ended'));
        else {
          call.progress();
          // A connection that was cut after progress, as service workers and proxies do, is not a failed attempt. A
          // connection that the server ended is opened at once, unless it cannot have brought anything.
          if (lost || !connection.head) await call.rest(lost);
          else call.dispatch('drop');
        }
      }
    },
    close: () => reader?.close(),
    pause(until) {
      isPaused = true;
      const pause = (paused = until
        .catch(() => {})
        .then(() => {
          if (paused === pause) paused = undefined;
        }));
      attempt?.abort();
      reader?.close();
    },
    renew,
  };
  call.onWake(() => reader?.check());
  trim(reads.add(connection));
  void call.outcome.then(() => reads.delete(connection));
  return connection;
}
