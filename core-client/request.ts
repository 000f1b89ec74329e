import type { DurableRequestInit } from './types.ts';

/** The upstream request of a call. It can be sent more than once. */
export interface UpstreamRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** The caller's signal. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Reads the arguments of a call by the rules of `fetch` (Fetch standard, section 5.4), with one addition: a call with a
 * body and without a method is a POST. Reads the complete body, because a retry sends it again.
 * @throws TypeError as `fetch` does: an invalid URL, a forbidden method, a GET with a body.
 */
export async function readRequest(
  input: RequestInfo | URL,
  init: DurableRequestInit = {},
): Promise<UpstreamRequest> {
  const given = typeof input === 'object' && 'url' in input ? input : undefined;
  const url = new URL(given?.url ?? (input as string | URL), pageUrl());
  // A Response accepts every kind of body, also streams (without `duplex`), and sets the media type.
  const source = init.body == null ? given : new Response(init.body);
  const bytes = new Uint8Array((await source?.arrayBuffer()) ?? []);
  // Not every browser has `Request.body`, so an empty body counts as none.
  const body = bytes.length > 0 || init.body != null ? bytes : undefined;
  const headers = new Headers(init.headers ?? given?.headers);
  const type = source?.headers.get('content-type');
  if (type && !headers.has('content-type')) headers.set('content-type', type);
  const checked = new Request(url, {
    method: init.method ?? given?.method ?? (body ? 'POST' : 'GET'),
    headers,
    body: body ?? null,
  });
  return {
    url: checked.url,
    method: checked.method,
    headers: checked.headers,
    body,
    signal: (init.signal === undefined ? given : init)?.signal ?? undefined,
  };
}

/** Returns the base of relative URLs, or undefined outside of pages and workers. */
export function pageUrl(): string | undefined {
  return typeof document === 'undefined' ? globalThis.location?.href : document.baseURI;
}
