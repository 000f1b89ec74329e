import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';

/**
 * Returns true if the client has disconnected or the response was destroyed.
 * `Http2ServerResponse` has no `destroyed`; its stream has.
 */
export function isClosed(res: ServerResponse): boolean {
  return res.destroyed || (res as { stream?: { destroyed: boolean } }).stream?.destroyed === true;
}

/**
 * Closes the connection of a request whose remaining bytes are not needed; with HTTP/2, only its stream.
 * `Http2ServerRequest#destroy` leaves the stream open.
 */
export function closeRequest(req: IncomingMessage & { stream?: { destroy(): void } }): void {
  (req.stream ?? req).destroy();
}

/**
 * Aborts a response so that no client treats it as complete: closes the connection or, with HTTP/2, resets the stream
 * with an error code. `Http2ServerResponse#destroy` resets it with NO_ERROR, which Node's client reports as a normal
 * end.
 */
export function cutResponse(res: ServerResponse): void {
  const { stream } = res as { stream?: ServerHttp2Stream };
  if (stream === undefined) res.destroy();
  else if (!stream.destroyed) {
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    stream.destroy();
  }
}

/** Sends a complete response. Does nothing if the client has disconnected. */
export function respond(
  res: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  body?: string | Uint8Array,
): void {
  if (isClosed(res)) return;
  res.writeHead(status, headers);
  res.end(body);
}

/**
 * Prevents an `error` event of the response from ending the process. Node emits one for a write after the end or after
 * the connection was lost. `close` follows, which releases reads.
 */
export function ignoreErrors(res: ServerResponse): void {
  res.on('error', () => undefined);
}
