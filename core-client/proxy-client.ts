import type { ErrorBody } from '../protocol/errors.ts';
import {
  IDEMPOTENCY_KEY,
  PREFER,
  RETURN_REPRESENTATION,
  STREAM_KEY,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../protocol/headers.ts';
import { ACTION, ACTION_ABORT, CURSOR, KEY, LIVE, LIVE_SSE, OFFSET, SECRET } from '../protocol/query.ts';
import { retryAfter } from './backoff.ts';
import { DurableStreamError, type ErrorTarget } from './errors.ts';
import { pageUrl, type UpstreamRequest } from './request.ts';
import type { Settings } from './settings.ts';

/** What is undefined counts as absent, for fetch if not for the compiler. */
type LooseInit = { readonly [K in keyof RequestInit]: RequestInit[K] | undefined };

/** The proxy's operations, as requests. Answers come back as they are. */
export interface ProxyClient {
  readonly url: URL;
  /** @param represent ask for the stream's bytes in the answer itself. */
  create(
    request: UpstreamRequest,
    idempotencyKey: string,
    represent: boolean,
    signal?: AbortSignal,
  ): Promise<Response>;
  /** The newest stream under the call's `streamKey`. */
  find(signal?: AbortSignal): Promise<Response>;
  read(streamUrl: string, offset: string, cursor: string | undefined, signal: AbortSignal): Promise<Response>;
  abort(streamUrl: string): Promise<Response>;
}

export function createProxyClient(settings: Settings, fetch?: typeof globalThis.fetch): ProxyClient {
  const base = new URL(settings.proxyUrl, pageUrl());
  const { credentials, proxyAuthorization, authorizationInQuery, streamKey = '' } = settings;
  const send = (url: URL, init: LooseInit) =>
    (fetch ?? globalThis.fetch)(url.href, { ...init, credentials } as RequestInit);

  /** Asks for the authorization, and once more when a function gave one that is refused. */
  async function sendAuthorized(
    url: URL,
    init: LooseInit,
    signal?: AbortSignal,
    isRetry?: boolean,
  ): Promise<Response> {
    const isAsked = typeof proxyAuthorization === 'function';
    const secret = isAsked ? await proxyAuthorization() : proxyAuthorization;
    signal?.throwIfAborted();
    const headers = new Headers(init.headers as HeadersInit);
    if (secret && authorizationInQuery) url.searchParams.set(SECRET, secret);
    else if (secret) headers.set('authorization', `Bearer ${secret}`);
    const response = await send(url, { ...init, headers, signal });
    if (response.status !== 401 || !isAsked || isRetry) return response;
    discard(response);
    return sendAuthorized(url, init, signal, true);
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
      // A header's value is bytes; these are UTF-8.
      if (streamKey) headers.set(STREAM_KEY, String.fromCharCode(...new TextEncoder().encode(streamKey)));
      if (represent) headers.set(PREFER, RETURN_REPRESENTATION);
      return sendAuthorized(new URL(base), { method: 'POST', headers, body: request.body }, signal);
    },
    find: (signal) => sendAuthorized(withQuery(base, { [KEY]: streamKey }), {}, signal),
    read: (streamUrl, offset, cursor, signal) =>
      send(
        withQuery(streamUrl, { [OFFSET]: offset, [LIVE]: LIVE_SSE, ...(cursor && { [CURSOR]: cursor }) }),
        { signal },
      ),
    abort: (streamUrl) => send(abortUrl(streamUrl), ABORT),
  };
}

/** `keepalive`: a stop outlives the page that sends it. */
export const ABORT = { method: 'PATCH', keepalive: true } as const satisfies RequestInit;

export function abortUrl(streamUrl: string): URL {
  return withQuery(streamUrl, { [ACTION]: ACTION_ABORT });
}

function withQuery(base: string | URL, query: Record<string, string>): URL {
  const url = new URL(base, pageUrl());
  for (const name in query) url.searchParams.set(name, query[name]!);
  return url;
}

/** Lets go of a body that nobody reads. */
export function discard(response: Response): undefined {
  response.body?.cancel().catch(() => {});
}

/** The proxy's refusal as an error, with its code when the body has the proxy's form. */
export async function refusal(response: Response, target: ErrorTarget): Promise<DurableStreamError> {
  const { status } = response;
  const { error } = ((await response.json().catch(() => null)) ?? {}) as Partial<ErrorBody>;
  return new DurableStreamError(
    error?.code ?? `HTTP_${status}`,
    error?.message ?? `The proxy answered ${status}`,
    {
      status,
      target,
      retryAfterMs: /408|425|429|5../.test(`${status}`) ? retryAfter(response.headers) : undefined,
    },
  );
}
