import type { UpstreamHead } from '../protocol/control.ts';
import { STREAM_NEXT_OFFSET } from '../protocol/headers.ts';
import { EVENTS_COMPACT, LIVE_LONG_POLL, LIVE_SSE, OFFSET_START } from '../protocol/query.ts';
import type { CallContext } from './call-context.ts';
import type { PausableRead } from './client-memory.ts';
import { isExpired } from './errors.ts';
import { isSuccess } from './head.ts';
import type { Mutable } from './mutable.ts';
import { readPolls } from './poll-reader.ts';
import { proxyErrorOf } from './proxy-error.ts';
import type { UpstreamRequest } from './request.ts';
import type { RecordHandle } from './request-records.ts';
import type { StreamPart } from './sse-parts.ts';
import { readSse, type PartReader } from './sse-reader.ts';
import { handleFrom, isEventStream, streamIdOf, type StreamHandle } from './stream-handle.ts';
import { trim } from './trim.ts';

/** Connects to one stream, as often as necessary. Owns the URL, its renewal, the read position and the reader. */
export interface StreamConnection extends PausableRead {
  readonly id: string;
  readonly url: string;
  /** Status and headers of the upstream's response. Undefined until they are known. */
  readonly head: UpstreamHead | undefined;
  /**
   * Returns the next part of the stream, and moves the read position past it. Connects if no connection is open, and
   * reconnects if it is lost.
   * @throws DurableStreamError if the proxy refuses, DurableNetworkError if the retry time is over, the signal's reason
   * if the caller leaves.
   */
  next(): Promise<StreamPart>;
  close(): void;
  /** Gets a fresh URL of this stream, if the proxy returns one. */
  renew(signal?: AbortSignal): Promise<void>;
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

/** Connections in a row without a byte after which the client assumes that an intermediary buffers SSE. */
const MUTE_LIMIT = 2;
/** How long to use long-poll before trying SSE again, in milliseconds. */
const POLL_MS = 300_000;
/** How much longer than a heartbeat a long-poll may take, in milliseconds: servers hold it for about 20 s. */
const POLL_EXTRA_MS = 30_000;

/** Creates a connection to a stream, and registers it with the client until the call is over. */
export function createConnection(
  { call, settings, proxy, memory }: CallContext,
  { stream, offset = OFFSET_START, reader, record, request, idempotencyKey }: ConnectionStart,
): StreamConnection {
  /** If the first connection fails, the caller creates the stream again. A renewal must not create one. */
  let wasOpen = !!reader;
  let cursor: string | undefined;
  let mute = 0;
  let attempt: AbortController | undefined;
  /** Settles when the connection may be opened. */
  let paused: Promise<unknown> | undefined;
  /** True if a pause ended the connection, or the attempt to open it. */
  let isPaused = false;

  async function renew(signal?: AbortSignal): Promise<void> {
    const canRepeat = request && idempotencyKey && wasOpen && !memory.isPlain;
    for (const ask of [
      settings.streamKey && (() => proxy.find(signal)),
      canRepeat && (() => proxy.create(request, idempotencyKey, false, signal)),
    ]) {
      const handle = ask && (await handleFrom(await ask(), proxy, call.target));
      if (!handle) continue;
      if (streamIdOf(handle.streamUrl) === connection.id) {
        connection.url = handle.streamUrl;
        void record?.save({ streamUrl: handle.streamUrl });
        return;
      }
      // The server no longer knows the key, so the POST created another stream, which has no reader.
      if (handle.isNew) proxy.abort(handle.streamUrl).then(proxy.release, call.warn);
    }
  }

  /** Sends one read. `pause` and the caller's signal end it. */
  async function read(live: string, timeoutMs: number): Promise<Response> {
    attempt = new AbortController();
    const query = {
      offset,
      live,
      events: EVENTS_COMPACT,
      ...(cursor && { cursor }),
    };
    const response = await proxy.read(connection.url, query, {
      signal: call.signal,
      timeoutMs,
      controller: attempt,
    });
    const { ok, headers } = response;
    if (ok && (live === LIVE_SSE ? isEventStream(response) : headers.has(STREAM_NEXT_OFFSET)))
      return response;
    const error = await proxyErrorOf(response, call.target);
    proxy.release(response);
    throw error;
  }

  async function connectOnce(): Promise<PartReader> {
    for (;;) {
      await paused;
      isPaused = false;
      call.signal.throwIfAborted();
      if (mute >= MUTE_LIMIT) {
        memory.pollUntil = Date.now() + POLL_MS;
        mute--;
      }
      const isPoll = memory.pollUntil > Date.now();
      try {
        if (isPoll) {
          const poll = () => read(LIVE_LONG_POLL, settings.heartbeatTimeoutMs + POLL_EXTRA_MS);
          return await readPolls(poll, memory.pollUntil, () => attempt?.abort());
        }
        const response = await read(LIVE_SSE, settings.heartbeatTimeoutMs);
        return readSse(response, settings.heartbeatTimeoutMs, proxy.release);
      } catch (error) {
        // An intermediary that buffers may hold back the headers as well.
        if (!isPoll && (error as Error).name === 'TimeoutError') mute++;
        if (!isPaused) throw error;
      }
    }
  }

  async function open(): Promise<PartReader> {
    const connect = () => call.persist('read', connectOnce);
    reader = await connect().catch(async (error: unknown) => {
      if (!isExpired(error)) throw error;
      await call.persist('read', () => renew(call.signal));
      return connect();
    });
    wasOpen = true;
    connection.head ??= reader.head;
    call.dispatch(isSuccess(connection.head) ? 'streaming' : 'creating');
    return reader;
  }

  const connection: Mutable<StreamConnection> = {
    id: streamIdOf(stream.streamUrl),
    url: stream.streamUrl,
    head: reader?.head,
    async next() {
      for (;;) {
        const current = reader ?? (await open());
        let part: StreamPart | undefined;
        let lost: unknown;
        try {
          part = await current.next();
        } catch (error) {
          lost = error;
        }
        call.signal.throwIfAborted();
        if (part) {
          const { control } = part;
          connection.head ??= control.upstreamHead;
          offset = control.streamNextOffset;
          cursor = control.streamCursor ?? cursor;
          return part;
        }
        current.close();
        reader = undefined;
        mute = current.isMute ? mute + 1 : 0;
        if (isPaused) continue;
        // After a connection that the server ended, the next one is opened immediately, unless there was no progress.
        if (lost || !current.isAlive || !connection.head) await call.reconnect(lost, current.isAlive);
        else {
          call.progress();
          call.dispatch('reconnecting');
        }
      }
    },
    close: () => reader?.close(),
    pause(until) {
      isPaused = true;
      paused = until;
      attempt?.abort();
      reader?.close();
    },
    renew,
  };
  call.listen({ onWake: () => reader?.check() });
  void call.outcome.then(() => memory.reads.delete(connection));
  trim(memory.reads.add(connection));
  return connection;
}
