import { IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { ERROR_STATUS, type ErrorBody, type ErrorCode } from '../../protocol/errors.ts';
import { LINGER_MS } from './body.ts';
import type { Middleware } from './cors.ts';

interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Response to request headers over `maxHeaderSize`. */
export const HEADERS_TOO_LARGE = {
  status: ERROR_STATUS.REQUEST_HEADERS_TOO_LARGE,
  code: 'REQUEST_HEADERS_TOO_LARGE',
  message: "The request's headers are too large. The server's limit is maxHeaderSize; cookies count too",
} as const satisfies Refusal;

const NOT_HTTP: Refusal = {
  status: 400,
  code: 'INVALID_REQUEST',
  message: 'This is not a valid HTTP request',
};

const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: HEADERS_TOO_LARGE,
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    code: 'INVALID_REQUEST',
    message: 'The request took too long to arrive',
  },
};

/**
 * Creates the `clientError` listener of the HTTP server: responds to malformed HTTP with a protocol error, including
 * CORS headers, and closes the connection (RFC 9112, section 2.2).
 */
export function malformedResponder(cors: Middleware) {
  const responded = new WeakSet<Socket>();
  return (error: Error & { code?: string; rawPacket?: Buffer }, socket: Socket): void => {
    // Node emits the same error for each further chunk of the request, and discards it.
    if (responded.has(socket)) return;
    responded.add(socket);
    if (!socket.writable || error.code === 'ECONNRESET' || hasBegunResponse(socket)) {
      socket.destroy();
      return;
    }
    const { status, code, message } = REFUSALS[error.code ?? ''] ?? NOT_HTTP;
    const body = JSON.stringify({ error: { code, message } } satisfies ErrorBody);
    // Node provides no request object here. The origin is taken from the bytes that were parsed last, if they contain
    // it.
    const req = new IncomingMessage(socket);
    const origin = /\r\norigin:[ \t]*([^\r\n]+)/i.exec(error.rawPacket?.toString('latin1') ?? '')?.[1];
    if (origin !== undefined) req.headers['origin'] = origin;
    const res = new ServerResponse(req);
    // Also called if the operator's `origin` function failed; the response then has no CORS headers.
    cors(req, res, () => {
      res.setHeader('Content-Type', 'application/json');
      res.setHeader('Content-Length', Buffer.byteLength(body));
      res.setHeader('Cache-Control', 'no-store');
      const fields = Object.entries(res.getHeaders()).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      // Closing a socket with unread bytes resets it, and the client would lose the response. So the socket is read
      // for at most `LINGER_MS`.
      const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
      socket.once('close', () => clearTimeout(timer));
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields.join('')}Connection: close\r\n\r\n${body}`,
      );
    });
  };
}

/**
 * Returns true if a response to an earlier request on the connection is in progress. More bytes would become a part of
 * its body. Node's own `clientError` handler checks the same property.
 */
function hasBegunResponse(socket: Socket & { readonly _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent === true;
}
