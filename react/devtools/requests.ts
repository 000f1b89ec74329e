import { IDEMPOTENCY_KEY, UPSTREAM_METHOD, UPSTREAM_URL } from '../../protocol/headers.ts';
import { ACTION, ACTION_ABORT, LIVE, OFFSET, OFFSET_START } from '../../protocol/query.ts';

/** A request to the proxy that concerns one answer. */
export interface ProxyRequest {
  readonly kind: 'create' | 'read' | 'stop';
  /** Finds the answer of a create again. A secret of the page: never shown. */
  readonly key: string | undefined;
  readonly streamId: string | undefined;
  /** Method and URL of the upstream request, without what may be secret. */
  readonly target: string | undefined;
  /** Where a read begins. Undefined for the first byte. */
  readonly offset: string | undefined;
}

/** Returns what a `fetch` of the page asks the proxy, or undefined for any other request. */
export function proxyRequestOf(input: RequestInfo | URL, init: RequestInit = {}): ProxyRequest | undefined {
  const request = input instanceof Request ? input : undefined;
  const url = new URL(request?.url ?? (input as string | URL), location.href);
  const headers = new Headers(init.headers ?? request?.headers);
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase();
  const key = headers.get(IDEMPOTENCY_KEY) ?? undefined;
  const upstream = headers.get(UPSTREAM_URL);
  const none = { key, streamId: undefined, target: undefined, offset: undefined };
  if (method === 'POST' && upstream !== null) {
    const target = `${headers.get(UPSTREAM_METHOD) ?? 'POST'} ${publicUrl(upstream)}`;
    return { ...none, kind: 'create', target };
  }
  if (method === 'PATCH' && url.searchParams.get(ACTION) === ACTION_ABORT)
    return { ...none, kind: 'stop', streamId: key === undefined ? lastSegment(url) : undefined };
  const offset = url.searchParams.get(OFFSET);
  if (method !== 'GET' || offset === null || !url.searchParams.has(LIVE)) return undefined;
  return {
    ...none,
    kind: 'read',
    streamId: lastSegment(url),
    offset: offset === OFFSET_START ? undefined : offset,
  };
}

/** Returns the id of the stream that a response names in `Location`. */
export function streamIdIn(headers: Headers): string | undefined {
  const location = headers.get('location');
  return location === null ? undefined : lastSegment(new URL(location, window.location.href));
}

/** Returns a URL without user, query and fragment. */
function publicUrl(text: string): string {
  const url = new URL(text, location.href);
  return `${url.origin}${url.pathname}`;
}

function lastSegment({ pathname }: URL): string {
  return pathname.replace(/.*\//, '');
}
