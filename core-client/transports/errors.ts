import { readErrorResponse } from '../error-response.ts';

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

/** Thrown when the request was refused, so that there is no stream. */
export class AnswerRequestError extends Error {
  override readonly name = 'AnswerRequestError';
  /** The code of the proxy or the provider; `ANSWER_REQUEST_FAILED` if the response has none. */
  readonly code: string;
  /** Status of the response. */
  readonly status: number;
  /** Milliseconds after which the server asks to try again; undefined if it does not say. */
  readonly retryAfterMs: number | undefined;

  /** @param message the sentence of the proxy or the provider. */
  constructor(
    message: string,
    status: number,
    { code = 'ANSWER_REQUEST_FAILED', retryAfterMs, ...options }: AnswerRequestErrorOptions = {},
  ) {
    super(message, options);
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Creates the error of a refused response. @param text the body of the response. */
  static of(response: Response, text: string): AnswerRequestError {
    const { message, status, ...options } = readErrorResponse(response, text);
    return new AnswerRequestError(message, status, options);
  }
}

/** Details of a refused response: its error code, and milliseconds to wait if the response said so. */
export interface AnswerRequestErrorOptions extends ErrorOptions {
  readonly code?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** The answer is complete and contains an error: the model, or the backend that called it, failed. */
export class ModelError extends Error {
  override readonly name = 'ModelError';
  readonly code = 'MODEL_FAILED';
}

export function isModelError(error: Error | undefined): error is ModelError {
  return error?.name === 'ModelError';
}
