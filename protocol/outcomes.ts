/**
 * How a stream ended. Each closed stream has exactly one outcome, stored in the same operation as the close, so
 * a truncated stream never looks complete.
 */
export const OUTCOMES = [
  /** The upstream's body ended normally. */
  'complete',
  /**
   * A PATCH or DELETE stopped the stream, the caller disconnected and cannot find it again, or it had no reader for
   * too long.
   */
  'aborted',
  /** The upstream responded with an error, or not at all, after the stream had been created. */
  'refused',
  /** The upstream's body ended without an error, but the answer is incomplete by its own format. */
  'truncated',
  /** The upstream's connection was closed or reset before the end of the body, or the provider reported an error in it. */
  'upstream-error',
  /** The upstream sent nothing for longer than `upstreamInactivityTimeoutMs`. */
  'timeout',
  /** The body exceeded `maxResponseBytes` or the storage limit. The part within the limit is kept. */
  'too-large',
  /** The proxy crashed, was shut down, or lost its store while the stream was open. */
  'interrupted',
] as const;

/** How a stream ended. `OUTCOMES` describes each value. */
export type Outcome = (typeof OUTCOMES)[number];

/** Error code of an `upstream-error` that the provider reported in the body. */
export const REPORTED_ERROR = 'UPSTREAM_REPORTED_ERROR';

/** Error code of an `aborted` stream that had no reader for longer than its create or the operator allows. */
export const UNREAD = 'UNREAD';

/** Why a stream ended with an outcome other than `complete`: a stable code and a human-readable message. */
export interface OutcomeError {
  /** Code of the error. */
  readonly code: string;
  /** Human-readable description of the error. */
  readonly message: string;
}

export function isOutcome(value: unknown): value is Outcome {
  return (OUTCOMES as readonly unknown[]).includes(value);
}
