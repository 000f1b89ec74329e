import { signQuery } from '../auth/signed-url.ts';
import type { Context } from '../context.ts';
import type { Exchange } from '../http/exchange.ts';
import type { StreamInfo } from '../store/types.ts';
import { upstreamHeaders } from './upstream-headers.ts';

/** Returns a fresh signed URL of a stream. */
export function signedLocation(
  { base }: Exchange,
  { keyring, options }: Pick<Context, 'keyring' | 'options'>,
  streamId: string,
): string {
  const expiresAt = Math.floor(Date.now() / 1_000) + options.urlExpirationSeconds;
  return `${base}/${streamId}?${signQuery(keyring, streamId, expiresAt)}`;
}

/** Returns the headers of a response whose `Location` is a fresh signed URL of the stream. */
export function locationHeaders(
  exchange: Exchange,
  context: Pick<Context, 'keyring' | 'options'>,
  stream: { readonly streamId: string } & Pick<StreamInfo, 'contentType' | 'metadata' | 'end'>,
): Record<string, string> {
  return {
    Location: signedLocation(exchange, context, stream.streamId),
    ...upstreamHeaders(stream),
    // The URL is a capability and must not be cached.
    'Cache-Control': 'no-store',
  };
}
