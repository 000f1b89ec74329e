import type { Outcome } from '../protocol/outcomes.ts';
import type { DurableErrorCode } from './error-codes.ts';

/** The request that an error belongs to. Contains no headers and no body. */
export interface ErrorTarget {
  /** Method of the upstream request. */
  readonly method?: string | undefined;
  /** URL of the upstream request. The error contains it without its query. */
  readonly url?: string | undefined;
}

/** Properties of an error of the client, in addition to its code and message. */
export interface DurableErrorOptions {
  /** The error that caused this one. */
  readonly cause?: unknown;
  /** The request that the error belongs to. */
  readonly target?: ErrorTarget | undefined;
  /** How the answer ended. */
  readonly outcome?: Outcome | undefined;
  /** HTTP status of the response. */
  readonly status?: number | undefined;
  /** Milliseconds after which to try again. */
  readonly retryAfterMs?: number | undefined;
}

/** Statuses of requests that are too large. They fail in the same way each time. */
export const TOO_LARGE: readonly unknown[] = [413, 414, 431];

/** Removes query and fragment, which may contain keys and signatures. */
export function withoutQuery<T extends string | undefined>(url: T): T {
  return url?.replace(/[?#].*/s, '') as T;
}

/**
 * Base class of all errors of the client, its transports and hooks. None is a `TypeError`, which SDKs interpret as a
 * closed page.
 */
export abstract class DurableError extends Error {
  /** Name of the class. The same in each copy of the package. */
  abstract override readonly name: string;
  /** Identifies the error for programs. Messages may change, codes do not. */
  declare readonly code: DurableErrorCode;
  /** Method of the upstream request. */
  declare readonly method: string | undefined;
  /** URL of the upstream request, without its query, which may contain keys. */
  declare readonly url: string | undefined;
  /** HTTP status of the response that caused the error; undefined if there was no response. */
  declare readonly status: number | undefined;
  /** Milliseconds after which another attempt may succeed; undefined if the server asked for none. */
  declare readonly retryAfterMs: number | undefined;

  /**
   * @param code identifies the error.
   * @param message the text for people.
   * @param options further properties.
   */
  constructor(code: DurableErrorCode, message: string, { target, ...own }: DurableErrorOptions = {}) {
    super(message);
    Object.assign(this, own, { code, method: target?.method, url: withoutQuery(target?.url) });
  }

  /** True if the same call may succeed later without a change: the server asked to try again, or was not reached. */
  get retryable(): boolean {
    return this.retryAfterMs !== undefined;
  }
}

/**
 * The proxy did not respond. `NETWORK_ERROR`: there was no response. `INVALID_RESPONSE`: another server responded, such
 * as a load balancer, with `status`. Any other code comes from the last response of a proxy that asked to try again
 * until the time was over. `cause` is the last failure. The same call continues the request under the same key.
 */
export class DurableNetworkError extends DurableError {
  override readonly name = 'DurableNetworkError';

  override get retryable(): boolean {
    return !TOO_LARGE.includes(this.status);
  }
}

/** The answer cannot be read further: it is incomplete (`outcome`), or the proxy refused access (`status`). */
export class DurableStreamError extends DurableError {
  override readonly name = 'DurableStreamError';
  /** How the answer ended; undefined if the error has another reason. */
  declare readonly outcome: Outcome | undefined;
}

/** The storage failed (`STORAGE_FAILED`). A warning, except in `forget()`: answers continue without the storage. */
export class DurableStorageError extends DurableError {
  override readonly name = 'DurableStorageError';
}

/**
 * Returns true for an error of the client. Checks the name as well, because `instanceof` is false for an error of
 * another realm or of another copy of this package.
 * @param error anything that was thrown.
 */
export function isDurableError(error: unknown): error is DurableError {
  return (
    error instanceof DurableError ||
    isDurableNetworkError(error) ||
    isDurableStreamError(error) ||
    hasName(error, 'DurableStorageError')
  );
}

/**
 * Returns true for a `DurableNetworkError`, by its shape as `isDurableError` does.
 * @param error anything that was thrown.
 */
export function isDurableNetworkError(error: unknown): error is DurableNetworkError {
  return hasName(error, 'DurableNetworkError');
}

/**
 * Returns true for a `DurableStreamError`, by its shape as `isDurableError` does.
 * @param error anything that was thrown.
 */
export function isDurableStreamError(error: unknown): error is DurableStreamError {
  return hasName(error, 'DurableStreamError');
}

/** True if the proxy refused the credentials or the signed URL. A 401 of another server is a `DurableNetworkError`. */
export function isExpired(error: unknown): boolean {
  return isDurableStreamError(error) && error.status === 401;
}

/** True if the proxy said that the stream does not exist, or that this caller may not read it. */
export function isGone(error: unknown): boolean {
  // NOT_FOUND is about the path, and other servers use that code too.
  return isDurableStreamError(error) && [401, 404, 410].includes(error.status!) && error.code !== 'NOT_FOUND';
}

function hasName(error: unknown, name: string): boolean {
  return (error as Error | null | undefined)?.name === name;
}

/**
 * Returns the error of a call that gives up because the proxy does not respond.
 * @param cause the last failure.
 * @param retryAfterMs milliseconds after which another call may succeed, if the proxy named them.
 */
export function lostContact(cause: unknown, target: ErrorTarget, retryAfterMs?: number): DurableNetworkError {
  const {
    code = 'NETWORK_ERROR',
    message = 'The proxy did not respond',
    status,
  } = isDurableError(cause) ? cause : ({} as Partial<DurableError>);
  return new DurableNetworkError(code, message, { cause, status, target, retryAfterMs });
}
