import { ERROR_STATUS, type ErrorCode } from '../../protocol/errors.ts';
import { readErrorResponse } from '../error-response.ts';
import { DurableError } from '../errors.ts';

/** The stream of an answer ended without its last event. The text so far is a part of the answer. */
export class TruncatedAnswerError extends DurableError {
  override readonly name = 'TruncatedAnswerError';

  /**
   * @param message the text for people.
   * @param options the cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super('ANSWER_TRUNCATED', message, options);
  }
}

/** An event of the answer does not have the expected format. */
export class MalformedAnswerError extends DurableError {
  override readonly name = 'MalformedAnswerError';

  /**
   * @param message the text for people.
   * @param options the cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super('ANSWER_MALFORMED', message, options);
  }
}

/** The proxy, the chat endpoint or the provider refused the request. There is no stream. */
export class AnswerRequestError extends DurableError {
  override readonly name = 'AnswerRequestError';
  /** Status of the response; 0 if there was none. */
  declare readonly status: number;
  /** Code of the provider or the endpoint, such as `rate_limit_error`; undefined if the proxy refused. */
  readonly providerCode: string | undefined;

  /**
   * @param message the message of the proxy or the provider.
   * @param status status of the response.
   * @param options further details.
   */
  constructor(message: string, status: number, { code, ...options }: AnswerRequestErrorOptions = {}) {
    const isProxyCode = code !== undefined && Object.hasOwn(ERROR_STATUS, code);
    super(isProxyCode ? (code as ErrorCode) : 'ANSWER_REQUEST_FAILED', message, { ...options, status });
    this.providerCode = isProxyCode ? undefined : code;
  }

  /**
   * Creates the error of a refused response.
   * @param response the response.
   * @param text its body.
   */
  static of(response: Response, text: string): AnswerRequestError {
    const { message, status, ...options } = readErrorResponse(response, text);
    return new AnswerRequestError(message, status, options);
  }
}

/** Details of a refused response. */
export interface AnswerRequestErrorOptions extends ErrorOptions {
  /** Code in the response, of the proxy or the provider. */
  readonly code?: string | undefined;
  /** Milliseconds after which the server asks to try again. */
  readonly retryAfterMs?: number | undefined;
}

/** The answer is complete and contains an error: the model, or the backend that called it, failed. */
export class ModelError extends DurableError {
  override readonly name = 'ModelError';

  /**
   * @param message the message in the answer.
   * @param options the cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super('MODEL_FAILED', message, options);
  }
}

/** Returns true for a `ModelError`. */
export function isModelError(error: Error | undefined): error is ModelError {
  return error?.name === 'ModelError';
}
