import { ERROR_STATUS, type ErrorCode } from '../../protocol/errors.ts';

export interface ProxyErrorOptions {
  readonly cause?: unknown;
  /** Headers of the response, such as `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Body of the response, in place of `{"error": {code, message}}`. `headers` contains its `Content-Type`. */
  readonly body?: Buffer;
}

/** Thrown by handlers to send an error response: a protocol error code and a human-readable message. */
export class ProxyError extends Error {
  override readonly name: string = 'ProxyError';
  readonly code: ErrorCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;

  /**
   * @param message states the problem and, if possible, the fix. It is sent to the caller, so it must not contain
   * credentials.
   */
  constructor(code: ErrorCode, message: string, options: ProxyErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.headers = options.headers ?? {};
    this.body = options.body;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** Thrown at construction for invalid options. The message shows a valid example. */
export class ConfigurationError extends TypeError {
  override readonly name = 'ConfigurationError';
}
