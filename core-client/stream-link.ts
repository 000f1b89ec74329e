import type { ControlEvent, UpstreamHead } from '../protocol/control.ts';
import { STREAM_NEXT_OFFSET } from '../protocol/headers.ts';
import { CURSOR, LIVE, LIVE_LONG_POLL, LIVE_SSE, OFFSET, OFFSET_START } from '../protocol/query.ts';
import type { PausableRead } from './call.ts';
import type { Context } from './context.ts';
import type { Entry } from './credentials.ts';
import { isExpired } from './errors.ts';
import { readPolls } from './poll-reader.ts';
import { readSse, type SseReader } from './reader.ts';
import { refusal } from './refusal.ts';
import { handleFrom, isEventStream, streamIdOf, type StreamHandle } from './stream-handle.ts';

/** A connection to one stream that remembers its read position. */
export interface StreamLink extends PausableRead {
  readonly id: string;
  readonly url: string;
  readonly contentType: string | undefined;
  /** What the upstream responded; undefined while that is not known. */
  head: UpstreamHead | undefined;
  /** The connection that is open now. */
  reader: SseReader | undefined;
  /** Sends the POST again that created the stream: its key returns a fresh URL. Undefined without the request. */
  repost: ((signal?: AbortSignal) => Promise<Response>) | undefined;
  advance(control: ControlEvent): void;
  /**
   * Opens the stream at the read position. Retries.
   * @throws DurableStreamError if the proxy refuses, DurableNetworkError if the retry time is over, the signal's
   * reason if the caller leaves.
   */
  connect(): Promise<SseReader>;
  /** Returns true after `pause`, once per closed connection. */
  wasPaused(): boolean;
  /** Gets a fresh URL of this stream. Resolves with false if no one provides one. */
  renew(signal?: AbortSignal): Promise<boolean>;
}

/** Connections without a byte after which a server in between seems to buffer SSE. */
const MUTE_LIMIT = 2;
/** How long to use long-poll before trying SSE again, in milliseconds. */
const POLL_MS = 300_000;
/** How much longer than a heartbeat a long-poll may take, in milliseconds: servers hold it for about 20 s. */
const POLL_EXTRA_MS = 30_000;

/**
 * @param offset where to begin; undefined: the first byte.
 * @param entry stores a renewed URL.
 */
export function createLink(
  { call, settings, proxy, memory: { traits } }: Context,
  { streamUrl, contentType }: StreamHandle,
  offset = OFFSET_START,
  entry?: Entry,
): StreamLink {
  const { heartbeatTimeoutMs } = settings;
  const { signal, target } = call;
  const id = streamIdOf(streamUrl);
  let cursor: string | undefined;
  let mute = 0;
  let attempt: AbortController | undefined;
  let paused: Promise<unknown> | undefined;
  let isPaused = false;

  async function renew(signal?: AbortSignal): Promise<boolean> {
    for (const ask of [settings.streamKey && proxy.find, link.repost]) {
      const handle = ask && (await handleFrom(await ask(signal), proxy, target));
      if (!handle) continue;
      if (streamIdOf(handle.streamUrl) === id) {
        ({ streamUrl } = handle);
        void entry?.save({ streamUrl });
        return true;
      }
      // The key was forgotten, and the POST created another stream, which no one would read.
      if (handle.isNew) proxy.abort(handle.streamUrl).then(proxy.release, call.warn);
    }
    return false;
  }

  /** Sends one read; `pause` and the caller's signal end it. */
  async function read(live: string, timeoutMs: number): Promise<Response> {
    const own = (attempt = new AbortController());
    const onAbort = () => own.abort(signal.reason);
    signal.addEventListener('abort', onAbort);
    try {
      const query = { [OFFSET]: offset, [LIVE]: live, ...(cursor && { [CURSOR]: cursor }) };
      const response = await proxy.read(streamUrl, query, own.signal, timeoutMs);
      const { ok, headers } = response;
      if (ok && (live === LIVE_SSE ? isEventStream(response) : headers.has(STREAM_NEXT_OFFSET)))
        return response;
      const error = await refusal(response, target);
      proxy.release(response);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async function open(): Promise<SseReader> {
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

  const link: StreamLink = {
    id,
    get url() {
      return streamUrl;
    },
    get contentType() {
      return link.head?.contentType || contentType;
    },
    head: undefined,
    reader: undefined,
    repost: undefined,
    advance(control) {
      offset = control.streamNextOffset;
      cursor = control.streamCursor;
    },
    async connect() {
      if (link.reader) mute = link.reader.wasMute() ? mute + 1 : 0;
      try {
        return (link.reader = await call.persist(open));
      } catch (error) {
        if (!isExpired(error) || !(await call.persist(() => renew(signal)))) throw error;
        return (link.reader = await call.persist(open));
      }
    },
    wasPaused() {
      const was = isPaused;
      isPaused = false;
      return was;
    },
    pause(until) {
      isPaused = true;
      const pause = (paused = until
        .catch(() => {})
        .then(() => {
          if (paused === pause) paused = undefined;
        }));
      attempt?.abort();
      link.reader?.close();
    },
    renew,
  };
  return link;
}
