import type { DurableRequestInit } from './types.ts';

/** A call as the upstream shall see it, ready to be sent more than once. */
export interface UpstreamRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  /** What ends the caller's interest. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Reads what a caller gave to fetch, by fetch's rules (Fetch standard, section 5.4), with one default of our
 * own: a call with a body and no method is a POST. The body is read once, whole: a retry sends it again.
 * @throws TypeError as fetch does: a URL that cannot be, a forbidden method, a GET with a body.
 */
export async function readRequest(
  input: RequestInfo | URL,
  init: DurableRequestInit = {},
): Promise<UpstreamRequest> {
  const given = typeof input === 'object' && 'url' in input ? input : undefined;
  const url = new URL(given?.url ?? (input as string | URL), pageUrl());
  // A Response takes every kind of body, streams too, without `duplex`, and knows its media type.
  const source = init.body == null ? given : new Response(init.body);
  const bytes = new Uint8Array((await source?.arrayBuffer()) ?? []);
  // Not every browser's Request tells whether it has a body; one without bytes is as good as none.
  const body = bytes.length > 0 || init.body != null ? bytes : undefined;
  const headers = new Headers(init.headers ?? given?.headers);
  const type = source?.headers.get('content-type');
  if (type && !headers.has('content-type')) headers.set('content-type', type);
  const checked = new Request(url, {
    method: init.method ?? given?.method ?? (body ? 'POST' : 'GET'),
    headers,
    ...(body && { body }),
  });
  return {
    url: checked.url,
    method: checked.method,
    headers: checked.headers,
    body,
    signal: (init.signal === undefined ? given?.signal : init.signal) ?? undefined,
  };
}

/** What relative URLs are relative to; nothing outside of pages and workers. */
export function pageUrl(): string | undefined {
  return typeof document === 'undefined' ? globalThis.location?.href : document.baseURI;
}
