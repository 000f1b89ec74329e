import type { IncomingMessage } from 'node:http';
import { ProxyError } from '../shared/errors.ts';

/**
 * Returns the bytes of a body that an earlier middleware has consumed, exactly as the caller sent them.
 *
 * They can be had from `req.rawBody` (`express.json({ verify })`, and some platforms), from `express.raw()`, and
 * from `express.text()` if the text has the length that was announced and nothing in it was replaced. A parsed
 * object is never serialized again: numbers, escapes and white space would change, and signatures would break.
 * @returns undefined if nobody has consumed the body.
 * @throws ProxyError `INVALID_REQUEST` that says how to mount, if the bytes are lost.
 */
export function consumedBody(
  req: IncomingMessage & { body?: unknown; rawBody?: unknown },
): Uint8Array | undefined {
  if (!req.readableEnded) return undefined;
  const length = Number(req.headers['content-length'] ?? 0);
  if (length === 0 && !hasUnknownLength(req)) return new Uint8Array();
  const { body, rawBody } = req;
  // Body parsers decompress, and Content-Encoding would then be wrong.
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

/** True if a body may have arrived without `Content-Length`: in chunks, or in the DATA frames of HTTP/2. */
function hasUnknownLength(req: IncomingMessage & { stream?: { endAfterHeaders: boolean } }): boolean {
  return 'transfer-encoding' in req.headers || req.stream?.endAfterHeaders === false;
}

/** Decoding loses a byte order mark, invalid sequences (they become U+FFFD), and every other charset. */
function isExact(text: string, length: number, type = ''): boolean {
  const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(type)?.[1]?.toLowerCase() ?? 'utf-8';
  return (
    ['utf-8', 'utf8', 'us-ascii'].includes(charset) &&
    !text.includes('\uFFFD') &&
    Buffer.byteLength(text) === length
  );
}
