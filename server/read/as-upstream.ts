import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { ProxyError } from '../shared/errors.ts';
import { matchesNone, rangeOf } from '../http/conditional.ts';
import type { Exchange } from '../http/exchange.ts';
import { isClosed, respond } from '../http/response.ts';
import { LIVE_CACHE_CONTROL } from '../http/sse-headers.ts';
import type { StreamInfo } from '../store/types.ts';
import { contentTypeOf } from '../store/upstream-head.ts';
import type { BytePositions } from './byte-positions.ts';
import { positionHeaders, readHeaders, STORED_CACHE_CONTROL } from './headers.ts';
import { safeType } from './media-type.ts';

/**
 * The upstream controls the bytes at this URL, which may be on the app's own origin. If a browser renders them as a
 * document, that document gets an opaque origin and runs no scripts.
 */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox";

/**
 * Handles GET and HEAD with `as=upstream`: sends the whole body as one representation, for `<audio>`, `<img>` and
 * downloads. A closed stream has an ETag and ranges (RFC 9110, section 14); of an open stream, the bytes received so
 * far are sent.
 * @returns the number of bytes sent.
 */
export async function sendAsUpstream(
  { req, res }: Exchange,
  positions: BytePositions,
  info: StreamInfo,
  streamId: string,
): Promise<number> {
  const size = await positions.size(streamId, info);
  const { contentType, disposition } = safeType(contentTypeOf(info));
  // The bytes of a closed stream never change.
  const etag = `"${streamId}:upstream"`;
  const headers = {
    ...readHeaders(info),
    'Content-Type': contentType,
    'Content-Disposition': disposition,
    'Content-Security-Policy': CONTENT_SECURITY_POLICY,
    'Accept-Ranges': info.end ? 'bytes' : 'none',
    'Cache-Control': info.end ? STORED_CACHE_CONTROL : LIVE_CACHE_CONTROL,
    ...(info.end && { ETag: etag }),
  };
  const whole = info.end && positionHeaders({ next: info.tail, upToDate: true, end: info.end });
  if (info.end && matchesNone(req.headers['if-none-match'], etag)) {
    respond(res, 304, { ...headers, ...whole });
    return 0;
  }
  const range = info.end && req.method === 'GET' ? rangeOf(req.headers, etag, size) : undefined;
  if (range === 'unsatisfiable') {
    throw new ProxyError(
      'RANGE_NOT_SATISFIABLE',
      `The range is outside of the response, which has ${size} bytes`,
      {
        headers: { 'Content-Range': `bytes */${size}` },
      },
    );
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  const length = last - first + 1;
  if (isClosed(res)) return 0;
  res.writeHead(range ? 206 : 200, {
    ...headers,
    ...(range ? { 'Content-Range': `bytes ${first}-${last}/${size}` } : whole),
    'Content-Length': length,
  });
  if (req.method === 'HEAD') {
    res.end();
    return 0;
  }
  return write(res, positions.read(streamId, first, length));
}

/** Writes with backpressure, until the client disconnects. */
async function write(res: ServerResponse, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  const left = new AbortController();
  const leave = () => left.abort();
  res.once('close', leave);
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      if (isClosed(res)) return bytes;
      bytes += piece.length;
      if (!res.write(piece)) await once(res, 'drain', { signal: left.signal }).catch(() => undefined);
    }
    res.end();
    return bytes;
  } finally {
    res.off('close', leave);
  }
}
