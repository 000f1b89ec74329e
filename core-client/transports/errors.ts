/** The body of an answer ended without its last event: whatever was shown so far is a part, not the answer. */
export class TruncatedAnswerError extends Error {
  override readonly name = 'TruncatedAnswerError';
  readonly code = 'ANSWER_TRUNCATED';
}

/** An event of the answer is not what its format promises. */
export class MalformedAnswerError extends Error {
  override readonly name = 'MalformedAnswerError';
  readonly code = 'ANSWER_MALFORMED';
}

/** The request got an error, and no stream. `message` is the body of the error, as AI SDKs show it. */
export class AnswerRequestError extends Error {
  override readonly name = 'AnswerRequestError';
  readonly code = 'ANSWER_REQUEST_FAILED';
  constructor(
    message: string,
    /** The status of the proxy's answer; 502 when the upstream refused. */
    readonly status: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
