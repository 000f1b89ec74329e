import type { ControlEvent } from '../protocol/control.ts';
import { STREAM_CLOSED, UPSTREAM_CONTENT_TYPE } from '../protocol/headers.ts';
import { OFFSET_START } from '../protocol/query.ts';
import type { Context } from './context.ts';
import type { Entry } from './credentials.ts';
import { isExpired, type ErrorTarget } from './errors.ts';
import { discard, refusal, type ProxyClient } from './proxy-client.ts';
import { readSse, type SseReader } from './reader.ts';

/** What is known of a stream when it is made or found. */
export interface StreamHandle {
  /** The signed URL, absolute. */
  readonly streamUrl: string;
  readonly contentType?: string | undefined;
  /** True when no more bytes will come. */
  readonly isClosed?: boolean;
  /** True when it was made just now. */
  readonly isNew?: boolean;
}

/** Undefined when the answer names no stream. */
export function handleOf({ headers, status }: Response, { url }: ProxyClient): StreamHandle | undefined {
  const location = headers.get('location');
  if (!location) return undefined;
  return {
    streamUrl: new URL(location, url).href,
    contentType: headers.get(UPSTREAM_CONTENT_TYPE) ?? undefined,
    isClosed: headers.has(STREAM_CLOSED),
    isNew: status === 201,
  };
}

/**
 * The stream that an answer without a body names; undefined when the proxy refuses.
 * @throws DurableStreamError when asking again may help.
 */
export async function handleFrom(
  response: Response,
  proxy: ProxyClient,
  target: ErrorTarget,
): Promise<StreamHandle | undefined> {
  const refused = await refusal(response, target);
  if (refused.retryAfterMs !== undefined) throw refused;
  return response.ok ? handleOf(response, proxy) : undefined;
}

export function streamIdOf(streamUrl: string): string {
  return new URL(streamUrl).pathname.replace(/.*\//, '');
}

export function isEventStream({ headers }: Response): boolean {
  return !!headers.get('content-type')?.includes('text/event-stream');
}

/** The way to one stream, from a place in it that moves as it is read. */
export interface StreamLink {
  readonly id: string;
  readonly url: string;
  readonly contentType: string | undefined;
  /** Sends the POST again that made the stream: its key gives a fresh URL. Undefined without the request. */
  repost: ((signal?: AbortSignal) => Promise<Response>) | undefined;
  advance(control: ControlEvent): void;
  /**
   * Opens the stream at that place, as often as it takes.
   * @throws DurableStreamError when the proxy refuses for good, DurableNetworkError when it is time to give
   * up, the signal's reason when the caller leaves.
   */
  connect(): Promise<SseReader>;
  /** Gets a fresh URL of this very stream; false when nobody gives one. */
  renew(signal?: AbortSignal): Promise<boolean>;
}

/**
 * @param offset where to begin; undefined: with the first byte.
 * @param entry is told of another URL.
 */
export function createLink(
  { call, settings, proxy }: Context,
  { streamUrl, contentType }: StreamHandle,
  offset = OFFSET_START,
  entry?: Entry,
): StreamLink {
  const { heartbeatTimeoutMs } = settings;
  const id = streamIdOf(streamUrl);
  let cursor: string | undefined;

  async function renew(signal?: AbortSignal): Promise<boolean> {
    for (const ask of [settings.streamKey && proxy.find, link.repost]) {
      const handle = ask && (await handleFrom(await ask(signal), proxy, call.target));
      if (!handle) continue;
      if (streamIdOf(handle.streamUrl) === id) {
        ({ streamUrl } = handle);
        void entry?.save({ streamUrl });
        return true;
      }
      // The key was forgotten, and the POST made another answer, which nobody would read.
      if (handle.isNew) proxy.abort(handle.streamUrl).then(discard, call.warn);
    }
    return false;
  }

  async function open(): Promise<SseReader> {
    const { signal, target } = call;
    const attempt = new AbortController();
    const onAbort = () => attempt.abort(signal.reason);
    const timer = setTimeout(() => attempt.abort(new Error('The proxy did not answer')), heartbeatTimeoutMs);
    signal.addEventListener('abort', onAbort);
    try {
      const response = await proxy.read(streamUrl, offset, cursor, attempt.signal);
      if (!response.ok) throw await refusal(response, target);
      if (isEventStream(response)) return readSse(response, heartbeatTimeoutMs);
      discard(response);
      // A captive portal, say: behind it the stream may still be there.
      throw new Error('The proxy did not answer');
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  const link: StreamLink = {
    id,
    get url() {
      return streamUrl;
    },
    contentType,
    repost: undefined,
    advance(control) {
      offset = control.streamNextOffset;
      cursor = control.streamCursor;
    },
    async connect() {
      try {
        return await call.persist(open);
      } catch (error) {
        if (!isExpired(error) || !(await call.persist(() => renew(call.signal)))) throw error;
        return call.persist(open);
      }
    },
    renew,
  };
  return link;
}
