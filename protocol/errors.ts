/**
 * Error codes of the proxy and their HTTP status (RFC 9110, section 15). `docs/PROTOCOL.md` has the same table,
 * and a test compares the two.
 */
export const ERROR_STATUS = {
  MISSING_UPSTREAM_URL: 400,
  MISSING_UPSTREAM_METHOD: 400,
  INVALID_UPSTREAM_METHOD: 400,
  REDIRECT_NOT_ALLOWED: 400,
  INVALID_ACTION: 400,
  INVALID_OFFSET: 400,
  INVALID_REQUEST: 400,
  MISSING_SECRET: 401,
  INVALID_SECRET: 401,
  SIGNATURE_EXPIRED: 401,
  SIGNATURE_INVALID: 401,
  MISSING_SIGNATURE: 401,
  UPSTREAM_NOT_ALLOWED: 403,
  NOT_FOUND: 404,
  STREAM_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_ABORTED: 409,
  REQUEST_TOO_LARGE: 413,
  RANGE_NOT_SATISFIABLE: 416,
  IDEMPOTENCY_KEY_REUSED: 422,
  TOO_MANY_STREAMS: 429,
  TOO_MANY_READERS: 429,
  REQUEST_HEADERS_TOO_LARGE: 431,
  INTERNAL_ERROR: 500,
  UPSTREAM_ERROR: 502,
  STORAGE_ERROR: 502,
  SHUTTING_DOWN: 503,
  UPSTREAM_TIMEOUT: 504,
  STORAGE_QUOTA_EXCEEDED: 507,
} as const satisfies Record<string, number>;

/** The code of an error of the proxy. */
export type ErrorCode = keyof typeof ERROR_STATUS;

/** JSON body of an error response of the proxy itself. */
export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}
