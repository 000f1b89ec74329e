import { IDEMPOTENCY_REPLAYED, STREAM_CLOSED, UPSTREAM_CONTENT_TYPE } from '../protocol/headers.ts';
import { isDurableStreamError, type ErrorTarget } from './errors.ts';
import type { ProxyClient } from './proxy-client.ts';
import { isUpstreamError, proxyErrorOf } from './proxy-error.ts';

/** What a client knows about a stream when it is created or found. */
export interface StreamHandle {
  /** The signed URL, absolute. */
  readonly streamUrl: string;
  /** As reported by the create or find: not every server repeats it on reads. */
  readonly contentType?: string | undefined;
  /** True if no more bytes will come. */
  readonly isClosed?: boolean;
  /** True if this request created the stream. */
  readonly isNew?: boolean;
}

/** Returns the stream that a response names in `Location`, or undefined if there is none. */
export function handleOf({ headers, status }: Response, { url }: ProxyClient): StreamHandle | undefined {
  const location = headers.get('location');
  if (!location) return undefined;
  return {
    streamUrl: new URL(location, url).href,
    contentType: headers.get(UPSTREAM_CONTENT_TYPE) ?? undefined,
    isClosed: headers.has(STREAM_CLOSED),
    // A 202 may be the stream of an earlier create.
    isNew: status > 200 && !headers.has(IDEMPOTENCY_REPLAYED),
  };
}

/**
 * Returns the stream that a find, or a create without a body, names; undefined if the proxy has none.
 * @throws DurableStreamError, DurableNetworkError if another attempt can change the result.
 */
export async function handleFrom(
  response: Response,
  proxy: ProxyClient,
  target: ErrorTarget,
): Promise<StreamHandle | undefined> {
  const handle = response.ok ? handleOf(response, proxy) : undefined;
  const isAnswer = handle || response.status === 204 || isUpstreamError(response);
  const error = isAnswer ? undefined : await proxyErrorOf(response, target);
  proxy.release(response);
  if (error && (!isDurableStreamError(error) || error.retryAfterMs !== undefined)) throw error;
  return handle;
}

/** Returns the UUID of a stream, the last segment of its URL. */
export function streamIdOf(streamUrl: string): string {
  return new URL(streamUrl).pathname.replace(/.*\//, '');
}

/** Returns true if the response is an SSE stream. */
export function isEventStream({ headers }: Response): boolean {
  return !!headers.get('content-type')?.includes('text/event-stream');
}
