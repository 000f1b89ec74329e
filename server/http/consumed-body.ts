import type { IncomingMessage } from 'node:http';
import { ProxyError } from '../shared/errors.ts';

/**
 * Returns the bytes of a body that an earlier middleware has consumed, exactly as the caller sent them.
 *
 * Sources are `req.rawBody` (`express.json({ verify })`, and some platforms), `express.raw()`, and `express.text()` if
 * the text has the length of `Content-Length` and no replaced characters. A parsed object is never serialized again:
 * numbers, escapes and white space would change, which breaks signatures.
 * @returns undefined if the body has not been consumed.
 * @throws ProxyError `INVALID_REQUEST` if the bytes are lost. The message explains how to mount the proxy.
 */
export function consumedBody(
  req: IncomingMessage & { body?: unknown; rawBody?: unknown },
): Uint8Array | undefined {
  if (!req.readableEnded) return undefined;
  const length = Number(req.headers['content-length'] ?? 0);
  if (length === 0 && !hasUnknownLength(req)) return new Uint8Array();
  const { body, rawBody } = req;
  // Body parsers decompress, so `Content-Encoding` would be wrong.
  const compressed = (req.headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity';
  if (!compressed) {
    if (rawBody instanceof Uint8Array) return rawBody;
    if (body instanceof Uint8Array) return body;
    if (typeof body === 'string' && isExact(body, length, req.headers['content-type']))
      return Buffer.from(body);
  }
  throw new ProxyError(
    'INVALID_REQUEST',
    'A body parser in front of durableProxy has consumed the request body. ' +
      'Mount durableProxy before express.json() and other body parsers' +
      (compressed
        ? ''
        : ', or keep the bytes: express.json({ verify: (req, _res, bytes) => { req.rawBody = bytes } })'),
  );
}

/** Returns true if a body may have arrived without `Content-Length`: in chunks, or in DATA frames of HTTP/2. */
function hasUnknownLength(req: IncomingMessage & { stream?: { endAfterHeaders: boolean } }): boolean {
  return 'transfer-encoding' in req.headers || req.stream?.endAfterHeaders === false;
}

/**
 * Returns true if decoding was lossless. Decoding loses a byte order mark and invalid sequences (which become
 * U+FFFD), and other charsets than UTF-8 cannot be encoded again.
 */
function isExact(text: string, length: number, type = ''): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type)?.[1]?.toLowerCase() ?? 'utf-8';
  return (
    ['utf-8', 'utf8', 'us-ascii'].includes(charset) &&
    !text.includes('\uFFFD') &&
    Buffer.byteLength(text) === length
  );
}
