import { ERROR_STATUS, type ErrorCode } from '../../protocol/errors.ts';

/** Thrown by handlers to send an error response: a code of the protocol's table and a message for people. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: ErrorCode;
  /** Headers of the response, such as `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @param message states the problem and, if possible, the fix. It is sent to the caller, so it must not contain
   * credentials.
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** Thrown at construction for invalid options. The message shows a valid example. */
export class ConfigurationError extends TypeError {
  override readonly name = 'ConfigurationError';
}
