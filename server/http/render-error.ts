import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorBody } from '../../protocol/errors.ts';
import { STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { ProxyError } from '../shared/errors.ts';
import { cutResponse, respond } from './response.ts';
import { StoreError, type StoreErrorCode } from '../store/types.ts';

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
  if (error instanceof StoreError) return FROM_STORE[error.code](error);
  return new ProxyError('INTERNAL_ERROR', 'The proxy failed. Its log contains the reason', { cause: error });
}

/** Responds with an error: an upstream's own error unchanged, any other as `{"error": {code, message}}`. */
export function renderError(
  req: IncomingMessage,
  res: ServerResponse,
  error: ProxyError | UpstreamFailure,
): void {
  if (res.headersSent) {
    // The status was sent already. Cutting the response is the only way to signal that it is incomplete.
    cutResponse(res);
    return;
  }
  if (error instanceof UpstreamFailure) {
    const { body } = error;
    const headers = { ...error.headers, 'Content-Length': body.length, 'Cache-Control': 'no-store' };
    respond(res, error.status, headers, body);
    return;
  }
  const body: ErrorBody = { error: { code: error.code, message: error.message } };
  const text = JSON.stringify(body);
  // A kept-alive connection would lead the repeated request to this process again (RFC 9112, section 9.6).
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
