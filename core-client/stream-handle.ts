import { IDEMPOTENCY_REPLAYED, STREAM_CLOSED, UPSTREAM_CONTENT_TYPE } from '../protocol/headers.ts';
import { isDurableStreamError, type ErrorTarget } from './errors.ts';
import type { ProxyClient } from './proxy-client.ts';
import { refusal } from './refusal.ts';

/** What is known of a stream when it is made or found. */
export interface StreamHandle {
  /** The signed URL, absolute. */
  readonly streamUrl: string;
  /** As the create or find told it: not every server repeats it on reads. */
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
    // A 202 may be the stream of an earlier create.
    isNew: status > 200 && !headers.has(IDEMPOTENCY_REPLAYED),
  };
}

/**
 * Returns the stream that a find, or a create without a body, names; undefined if the proxy has none.
 * @throws DurableStreamError, DurableNetworkError if asking again may help.
 */
export async function handleFrom(
  response: Response,
  proxy: ProxyClient,
  target: ErrorTarget,
): Promise<StreamHandle | undefined> {
  const handle = response.ok ? handleOf(response, proxy) : undefined;
  const refused = handle || response.status === 204 ? undefined : await refusal(response, target);
  proxy.release(response);
  if (refused && (!isDurableStreamError(refused) || refused.retryAfterMs !== undefined)) throw refused;
  return handle;
}

export function streamIdOf(streamUrl: string): string {
  return new URL(streamUrl).pathname.replace(/.*\//, '');
}

export function isEventStream({ headers }: Response): boolean {
  return !!headers.get('content-type')?.includes('text/event-stream');
}
