import type { Outcome } from '../protocol/outcomes.ts';

/** Which request an error belongs to. No header, no body, and of the URL no query (and fetch allows no user info). */
export interface ErrorTarget {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
}

export interface DurableErrorOptions {
  readonly cause?: unknown;
  readonly target?: ErrorTarget | undefined;
  readonly outcome?: Outcome | undefined;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
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
    Object.assign(this, own, { method: target?.method, url: target?.url?.replace(/[?#].*/s, '') });
  }
}

/** The proxy could not be reached, or not often enough: `NETWORK_ERROR`. `cause` is the last failure. */
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

/** By shape, not by `instanceof`: an error of another realm or of another copy of this package is one too. */
export function isDurableError(error: unknown): error is DurableError {
  return isDurableNetworkError(error) || isDurableStreamError(error) || hasName(error, 'DurableStorageError');
}

export function isDurableNetworkError(error: unknown): error is DurableNetworkError {
  return hasName(error, 'DurableNetworkError');
}

export function isDurableStreamError(error: unknown): error is DurableStreamError {
  return hasName(error, 'DurableStreamError');
}

/** True when the proxy does not let us in, or not any more. */
export function isExpired(error: unknown): boolean {
  return (error as Partial<DurableStreamError> | null)?.status === 401;
}

/** True when a stream cannot be had: it is not there, or not for us. */
export function isGone(error: unknown): boolean {
  return [401, 404, 410].includes((error as Partial<DurableStreamError> | null)?.status ?? 0);
}

function hasName(error: unknown, name: string): boolean {
  return (error as Error | null | undefined)?.name === name;
}
