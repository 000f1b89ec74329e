import { signQuery } from '../auth/signed-url.ts';
import type { Context } from '../context.ts';
import type { Exchange } from '../http/exchange.ts';
import type { StreamInfo } from '../store/types.ts';
import { upstreamHeaders } from './upstream-headers.ts';

/** A fresh signed URL of a stream and what is in it: the head of every answer that hands a stream over. */
export function locationHeaders(
  { base }: Exchange,
  { keyring, options }: Context,
  stream: { readonly streamId: string } & Pick<StreamInfo, 'contentType' | 'metadata' | 'end'>,
): Record<string, string> {
  const expiresAt = Math.floor(Date.now() / 1_000) + options.urlExpirationSeconds;
  return {
    Location: `${base}/${stream.streamId}?${signQuery(keyring, stream.streamId, expiresAt)}`,
    ...upstreamHeaders(stream),
    // The URL is a capability: no cache may hand it to somebody else.
    'Cache-Control': 'no-store',
  };
}
