import type { Outcome } from '../protocol/outcomes.ts';

/** Which request an error belongs to. No header, no body, and of the URL no query (and fetch allows no user info). */
export interface ErrorTarget {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

/** What an error of the client is made of, besides its code and message. */
export interface DurableErrorOptions {
  readonly cause?: unknown;
  readonly target?: ErrorTarget | undefined;
  readonly outcome?: Outcome | undefined;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** Removes query and fragment, which may contain keys and signatures. */
export function withoutQuery<T extends string | undefined>(url: T): T {
  return url?.replace(/[?#].*/s, '') as T;
}

/** What all errors of the client have in common. None is a TypeError, which SDKs take for "the page went away". */
export abstract class DurableError extends Error {
  abstract override readonly name: string;
  /** Stable, for programs; the message is for people and may change. */
  readonly code: string;
  /** The upstream request's method. */
  declare readonly method: string | undefined;
  /** The upstream request's URL without its query, where keys tend to be. */
  declare readonly url: string | undefined;
  /** HTTP status of the response that caused the error; undefined if there was no response. */
  declare readonly status: number | undefined;
  /** Milliseconds after which another attempt makes sense; undefined if another attempt cannot help. */
  declare readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, { target, ...own }: DurableErrorOptions = {}) {
    super(message);
    this.code = code;
    Object.assign(this, own, { method: target?.method, url: withoutQuery(target?.url) });
  }
}

/**
 * No answer of the proxy arrived. `NETWORK_ERROR`: there was no response. `INVALID_RESPONSE`: another server responded,
 * such as a load balancer, with `status`. Any other code is the last answer of a proxy that asked to try again until
 * the time was over. `cause` is the last failure. The same call continues the request under the same key.
 */
export class DurableNetworkError extends DurableError {
  override readonly name = 'DurableNetworkError';
}

/** The answer cannot be read on: it ended badly (`outcome`), or the proxy refused to give it (`status`). */
export class DurableStreamError extends DurableError {
  override readonly name = 'DurableStreamError';
  /** How the answer ended; undefined when that is not why it failed. */
  declare readonly outcome: Outcome | undefined;
}

/** The storage failed, and the answer went on without it: `STORAGE_FAILED`. Only ever a warning. */
export class DurableStorageError extends DurableError {
  override readonly name = 'DurableStorageError';
}

/**
 * Returns true for an error of the client. Checks its shape, because `instanceof` is false for an error of another realm or
 * of another copy of this package.
 * @param error anything that was thrown.
 */
export function isDurableError(error: unknown): error is DurableError {
  return isDurableNetworkError(error) || isDurableStreamError(error) || hasName(error, 'DurableStorageError');
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
  return (
    isDurableStreamError(error) && [401, 404, 410].includes(error.status ?? 0) && error.code !== 'NOT_FOUND'
  );
}

function hasName(error: unknown, name: string): boolean {
  return (error as Error | null | undefined)?.name === name;
}

/**
 * Returns the error of a call that gives up on reaching the proxy.
 * @param cause the last failure.
 * @param retryAfterMs when another call makes sense. Default: never.
 */
export function lostContact(cause: unknown, target: ErrorTarget, retryAfterMs?: number): DurableNetworkError {
  const {
    code = 'NETWORK_ERROR',
    message = 'The proxy did not respond',
    status,
  } = isDurableError(cause) ? cause : ({} as Partial<DurableError>);
  return new DurableNetworkError(code, message, { cause, target, status, retryAfterMs });
}
