import { signQuery } from '../auth/signed-url.ts';
import type { Context } from '../context.ts';
import type { Exchange } from '../http/exchange.ts';
import type { StreamInfo } from '../store/types.ts';
import { upstreamHeaders } from './upstream-headers.ts';

/** Returns the headers of each response that has a fresh signed URL of a stream in `Location`. */
export function locationHeaders(
  { base }: Exchange,
  { keyring, options }: Context,
  stream: { readonly streamId: string } & Pick<StreamInfo, 'contentType' | 'metadata' | 'end'>,
): Record<string, string> {
  const expiresAt = Math.floor(Date.now() / 1_000) + options.urlExpirationSeconds;
  return {
    Location: `${base}/${stream.streamId}?${signQuery(keyring, stream.streamId, expiresAt)}`,
    ...upstreamHeaders(stream),
    // The URL is a capability and must not be cached.
    'Cache-Control': 'no-store',
  };
}
