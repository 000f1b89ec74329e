import { UPSTREAM_CONTENT_TYPE } from '../../protocol/headers.ts';
import { signQuery } from '../auth/signed-url.ts';
import type { Context } from '../context.ts';
import type { Exchange } from '../http/exchange.ts';

/** A fresh signed URL of a stream and what is in it: the head of every answer that hands a stream over. */
export function locationHeaders(
  { base }: Exchange,
  { keyring, options }: Context,
  stream: { streamId: string; contentType: string },
): Record<string, string> {
  const expiresAt = Math.floor(Date.now() / 1_000) + options.urlExpirationSeconds;
  return {
    Location: `${base}/${stream.streamId}?${signQuery(keyring, stream.streamId, expiresAt)}`,
    ...(stream.contentType !== '' && { [UPSTREAM_CONTENT_TYPE]: stream.contentType }),
    // The URL is a capability: no cache may hand it to somebody else.
    'Cache-Control': 'no-store',
  };
}
