import type { ErrorCode } from '../protocol/errors.ts';

/** Codes of errors that the client detects, in addition to the codes of the proxy. `docs/client.md` lists them all. */
export const CLIENT_ERROR_CODES = [
  /** No response arrived. */
  'NETWORK_ERROR',
  /** Another server than the proxy responded. */
  'INVALID_RESPONSE',
  /** The storage failed. */
  'STORAGE_FAILED',
  /** The answer was stopped. */
  'ABORTED',
  /** The upstream refused the request after the stream had been created. */
  'REFUSED',
  /** The upstream ended its response in the middle of the answer. The proxy sends `UPSTREAM_TRUNCATED`. */
  'TRUNCATED',
  'UPSTREAM_TRUNCATED',
  /** The provider reported an error in the answer. */
  'UPSTREAM_REPORTED_ERROR',
  /** The upstream sent nothing for too long. */
  'TIMEOUT',
  /** The answer exceeded a size limit. The proxy sends `RESPONSE_TOO_LARGE`. */
  'TOO_LARGE',
  'RESPONSE_TOO_LARGE',
  /** The proxy stopped before the answer was complete. */
  'INTERRUPTED',
  /** The stream of a chat ended without its last event. */
  'ANSWER_TRUNCATED',
  /** An event of a chat's stream does not have the format of the SDK. */
  'ANSWER_MALFORMED',
  /** The chat endpoint or its provider responded with an error. */
  'ANSWER_REQUEST_FAILED',
  /** The answer contains an error of the model. */
  'MODEL_FAILED',
] as const;

/** Code of a `DurableError`: a code of the proxy (`docs/PROTOCOL.md`), or one that the client detects. */
export type DurableErrorCode = ErrorCode | (typeof CLIENT_ERROR_CODES)[number];
