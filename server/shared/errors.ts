import { ERROR_STATUS, type ErrorCode } from '../../protocol/errors.ts';

/** An answer that a handler gives by throwing: a code of the protocol's table and a sentence for people. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code: ErrorCode;
  /** Headers that go with the answer, such as `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>;

  /** @param message names the fix where there is one; it reaches the caller, so it never holds a credential. */
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

/** Thrown at construction for options that cannot work; the message shows a form that does. */
export class ConfigurationError extends TypeError {
  override readonly name = 'ConfigurationError';
}
