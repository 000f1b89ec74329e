import {
  COMPACT_EVENTS,
  IDEMPOTENCY_KEY,
  PREFER,
  RESPOND_ASYNC,
  RETURN_REPRESENTATION,
  STREAM_KEY,
  UNREAD_TIMEOUT,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../protocol/headers.ts';
import { ACTION, ACTION_ABORT, KEY, SECRET } from '../protocol/query.ts';
import { pageUrl, type UpstreamRequest } from './request.ts';
import type { Settings } from './settings.ts';

/** `fetch` treats undefined as absent; the types of `RequestInit` do not. */
type LooseInit = { readonly [K in keyof RequestInit]: RequestInit[K] | undefined };

/** How one request ends before its response. */
interface SendOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for the headers. Without it, there is no limit. */
  readonly timeoutMs?: number | undefined;
  /** Aborts the request or, later, the body. */
  readonly controller?: AbortController;
}

/** Sends the operations of the protocol, once each. Returns the responses unchanged. */
export interface ProxyClient {
  readonly url: URL;
  /** Creates a stream. @param represent true to ask for the stream's bytes in the response. */
  create(
    request: UpstreamRequest,
    idempotencyKey: string,
    represent: boolean,
    signal?: AbortSignal,
  ): Promise<Response>;
  /**
   * Finds the newest stream under the call's `streamKey`.
   * @param query further parameters.
   */
  find(
    signal?: AbortSignal,
    query?: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** Reads a stream. */
  read(streamUrl: string, query: Record<string, string>, options: SendOptions): Promise<Response>;
  /** Stops a stream by its signed URL. */
  abort(streamUrl: string): Promise<Response>;
  /**
   * Ends a response and its connection. Cancels the body and aborts the request: a `fetch` that tracing tools wrap
   * clones the response, and then canceling one body leaves the connection open.
   */
  release(response: Response): undefined;
  /** Stops the stream of a create with this key, also while the upstream has not responded. */
  abortKey(idempotencyKey: string): Promise<Response>;
}

export function createProxyClient(settings: Settings, fetch?: typeof globalThis.fetch): ProxyClient {
  const base = new URL(settings.proxyUrl, pageUrl());
  const { credentials, proxyAuthorization, authorizationInQuery, streamKey = '', unreadTimeoutMs } = settings;
  const timeoutMs = settings.heartbeatTimeoutMs;
  const controllers = new WeakMap<Response, AbortController>();

  async function send(
    url: URL,
    init: LooseInit,
    { signal, timeoutMs, controller = new AbortController() }: SendOptions,
  ): Promise<Response> {
    const onAbort = () => controller.abort(signal!.reason);
    const timer =
      timeoutMs &&
      setTimeout(
        () => controller.abort(new DOMException('The proxy did not respond', 'TimeoutError')),
        timeoutMs,
      );
    signal?.addEventListener('abort', onAbort);
    try {
      const own = { ...init, credentials, signal: controller.signal };
      const response = await (fetch ?? globalThis.fetch)(url.href, own as RequestInit);
      controllers.set(response, controller);
      return response;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Sends a request with the authorization. If a function provides it, asks again once after a 401. */
  async function sendAuthorized(
    url: URL,
    init: LooseInit,
    options: SendOptions,
    isRetry?: boolean,
  ): Promise<Response> {
    const isAsked = typeof proxyAuthorization === 'function';
    const secret = isAsked ? await proxyAuthorization() : proxyAuthorization;
    options.signal?.throwIfAborted();
    const headers = new Headers(init.headers as HeadersInit);
    if (secret && authorizationInQuery) url.searchParams.set(SECRET, secret);
    else if (secret) headers.set('authorization', `Bearer ${secret}`);
    const response = await send(url, { ...init, headers }, options);
    if (response.status !== 401 || !isAsked || isRetry) return response;
    release(response);
    return sendAuthorized(url, init, options, true);
  }

  function release(response: Response): undefined {
    discard(response);
    controllers.get(response)?.abort();
  }

  return {
    url: base,
    create(request, idempotencyKey, represent, signal) {
      const headers = new Headers(request.headers);
      const authorization = headers.get('authorization');
      headers.delete('authorization');
      if (authorization) headers.set(UPSTREAM_AUTHORIZATION, authorization);
      headers.set(UPSTREAM_URL, request.url);
      headers.set(UPSTREAM_METHOD, request.method);
      headers.set(IDEMPOTENCY_KEY, idempotencyKey);
      if (streamKey) headers.set(STREAM_KEY, utf8Header(streamKey));
      if (unreadTimeoutMs) headers.set(UNREAD_TIMEOUT, secondsOf(unreadTimeoutMs));
      headers.set(
        PREFER,
        represent ? `${RESPOND_ASYNC}, ${RETURN_REPRESENTATION}, ${COMPACT_EVENTS}` : RESPOND_ASYNC,
      );
      // No time limit: an upload takes as long as the network needs.
      return sendAuthorized(new URL(base), { method: 'POST', headers, body: request.body }, { signal });
    },
    find: (signal, query, headers) =>
      sendAuthorized(withQuery(base, { [KEY]: streamKey, ...query }), { headers }, { signal, timeoutMs }),
    read: (streamUrl, query, options) => send(withQuery(streamUrl, query), {}, options),
    abort: (streamUrl) => send(abortUrl(streamUrl), ABORT, { timeoutMs }),
    release,
    abortKey: (idempotencyKey) =>
      sendAuthorized(
        abortUrl(base),
        { ...ABORT, headers: { [IDEMPOTENCY_KEY]: idempotencyKey } },
        { timeoutMs },
      ),
  };
}

/** `keepalive`: the browser completes the request if the page closes. */
export const ABORT = { method: 'PATCH', keepalive: true } as const satisfies RequestInit;

/** Returns the URL that stops a stream. */
export function abortUrl(streamUrl: string | URL): URL {
  return withQuery(streamUrl, { [ACTION]: ACTION_ABORT });
}

function withQuery(base: string | URL, query: Record<string, string>): URL {
  const url = new URL(base, pageUrl());
  for (const name in query) url.searchParams.set(name, query[name]!);
  return url;
}

function secondsOf(ms: number): string {
  return ms === Infinity ? 'infinite' : `${Math.ceil(ms / 1_000)}`;
}

/** Returns the UTF-8 bytes of a text as a header value, in which each character is one byte. */
function utf8Header(text: string): string {
  let value = '';
  for (const byte of new TextEncoder().encode(text)) value += String.fromCharCode(byte);
  return value;
}

/** Cancels a body that is not read. */
export function discard(response: Response): undefined {
  response.body?.cancel().catch(() => {});
}
