/** How a stream ended. Exactly one, stored with the closing; a stream never looks complete unless it is. */
export const OUTCOMES = [
  /** The upstream's body came to its end. */
  'complete',
  /** Someone stopped it: PATCH, DELETE, or a caller who left without a way back. */
  'aborted',
  /** The upstream responded with an error, or not at all, after the stream had been created. */
  'refused',
  /** The upstream ended its body cleanly, but by its own format the answer is not over. */
  'truncated',
  /** The upstream's connection was cut or reset in mid-body, or the provider reported an error in the body. */
  'upstream-error',
  /** The upstream sent nothing for longer than `upstreamInactivityTimeoutMs`. */
  'timeout',
  /** The body grew past `maxResponseBytes`, or the storage limit was reached; what fitted is kept. */
  'too-large',
  /** The proxy died, was shut down, or lost its store in mid-answer. */
  'interrupted',
] as const;

/** How a stream ended. `OUTCOMES` says what each one means. */
export type Outcome = (typeof OUTCOMES)[number];

/** Code of an `upstream-error` that the provider reported in the body itself. */
export const REPORTED_ERROR = 'UPSTREAM_REPORTED_ERROR';

/** What is known of an end that is not `complete`: a stable code and a sentence for people. */
export interface OutcomeError {
  readonly code: string;
  readonly message: string;
}

export function isOutcome(value: unknown): value is Outcome {
  return (OUTCOMES as readonly unknown[]).includes(value);
}
