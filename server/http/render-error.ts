import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorBody } from '../../protocol/errors.ts';
import { STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import { ProxyError } from '../shared/errors.ts';
import { cutResponse, respond } from './response.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StoreErrorCode, StoreError } from '../store/types.ts';

const FROM_STORE = {
  NOT_FOUND: () => new ProxyError('STREAM_NOT_FOUND', 'The stream does not exist or has expired'),
  INVALID_OFFSET: (cause) =>
    new ProxyError(
      'INVALID_OFFSET',
      `The offset does not belong to this stream. Use a value of its ${STREAM_NEXT_OFFSET}, -1 or now`,
      { cause },
    ),
  CLOSED: (cause) => new ProxyError('STORAGE_ERROR', 'The stream was closed by another process', { cause }),
  FENCED: (cause) => new ProxyError('STORAGE_ERROR', 'Another process writes the stream', { cause }),
  UNAVAILABLE: (cause) =>
    new ProxyError('STORAGE_ERROR', 'The stream store is unavailable. Try again', {
      cause,
      headers: { 'Retry-After': '1' },
    }),
} as const satisfies Record<StoreErrorCode, (cause: StoreError) => ProxyError>;

/**
 * Converts any error to a protocol error. Unexpected errors become `INTERNAL_ERROR`, with the original as `cause` for
 * the log.
 */
export function toProxyError(error: unknown): ProxyError {
  if (error instanceof ProxyError) return error;
  if (isStoreError(error)) return FROM_STORE[error.code](error);
  return new ProxyError('INTERNAL_ERROR', 'The proxy failed. Its log contains the reason', { cause: error });
}

/** Responds with an error. The body is the error's own body if it has one, otherwise `{"error": {code, message}}`. */
export function renderError(req: IncomingMessage, res: ServerResponse, error: ProxyError): void {
  if (res.headersSent) {
    // The status was sent already. Cutting the response is the only way to signal that it is incomplete.
    cutResponse(res);
    return;
  }
  if (error.body) {
    const headers = { ...error.headers, 'Content-Length': error.body.length, 'Cache-Control': 'no-store' };
    respond(res, error.status, headers, error.body);
    return;
  }
  const body: ErrorBody = { error: { code: error.code, message: error.message } };
  const text = JSON.stringify(body);
  // A client that keeps the connection would send its retry to this process again (RFC 9112, section 9.6).
  const isLast = error.code === 'SHUTTING_DOWN' && req.httpVersionMajor === 1;
  const headers = {
    ...error.headers,
    ...(isLast && { Connection: 'close' }),
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  };
  respond(res, error.status, headers, req.method === 'HEAD' ? undefined : text);
}
