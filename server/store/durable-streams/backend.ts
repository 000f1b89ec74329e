import type { IncomingHttpHeaders } from 'node:http';
import { Pool, type Dispatcher } from 'undici/index.js';
import { parseRetryAfter } from '../../shared/retry.ts';
import { isStoreError } from '../is-store-error.ts';
import { StoreError } from '../types.ts';
import type { Config } from './options.ts';
import { exchange, type WholeResponse } from './exchange.ts';
import { backoffMs, isRetryable } from './retry.ts';
import { headerOf } from './wire.ts';

export interface BackendRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Path below the base path, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface BackendResponse extends WholeResponse {
  /** True if an earlier attempt failed but may have been carried out. */
  readonly uncertain: boolean;
}

export interface StreamedResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Owned by the caller, who must read it to its end or destroy it. */
  readonly body: Dispatcher.ResponseData['body'];
}

interface Attempt {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/**
 * HTTP client of the backend: pooled connections, configured headers, a time limit for each attempt, bounded retries.
 */
export class Backend {
  readonly #config: Config;
  readonly #short: Pool;
  /** Live and streamed reads use a connection each, which short requests must not wait for. */
  readonly #long: Pool;
  /** Callbacks that end waiting requests and pauses when the store is disposed. */
  readonly #waiting = new Set<() => void>();
  #disposed = false;

  constructor(config: Config) {
    this.#config = config;
    this.#short = new Pool(config.origin, { connections: config.connections });
    this.#long = new Pool(config.origin, { connections: null });
  }

  /**
   * Sends a request, and retries it until the response is not a temporary failure, whatever its status.
   * @param limitMs milliseconds for all attempts. Default `retryTimeoutMs`.
   * @throws StoreError `UNAVAILABLE` if there was no such response within `limitMs`.
   */
  send(request: BackendRequest, limitMs = this.#config.retryTimeoutMs): Promise<BackendResponse> {
    return this.#retry(
      async (uncertain, leftMs) => {
        const ms = Math.ceil(Math.min(this.#config.requestTimeoutMs, Math.max(leftMs, 1)));
        return { ...(await exchange(this.#short, this.#dispatched(request), ms)), uncertain };
      },
      undefined,
      limitMs,
    );
  }

  /** Like `send`, but streams the body. `signal` cancels the request until the headers arrive. */
  stream(request: BackendRequest, signal?: AbortSignal): Promise<StreamedResponse> {
    return this.#retry(async () => {
      const timeout = this.#timeout(signal);
      try {
        const { statusCode, headers, body } = await this.#long.request({
          ...this.#dispatched(request),
          signal: timeout.signal,
        });
        // Prevents an uncaught `error` event: there may be no listener when a connection breaks.
        body.on('error', () => undefined);
        if (isRetryable(statusCode)) body.destroy();
        return { status: statusCode, headers, body };
      } finally {
        timeout.clear();
      }
    }, signal);
  }

  /** Base URL of the streams. */
  get url(): string {
    return this.#config.origin + this.#config.basePath;
  }

  /** Maximum milliseconds of one attempt. */
  get requestTimeoutMs(): number {
    return this.#config.requestTimeoutMs;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    for (const wake of this.#waiting) wake();
    await Promise.all([this.#short.destroy(), this.#long.destroy()]);
  }

  async #retry<T extends Attempt>(
    attempt: (uncertain: boolean, leftMs: number) => Promise<T>,
    signal?: AbortSignal,
    limitMs = this.#config.retryTimeoutMs,
  ): Promise<T> {
    const deadline = performance.now() + limitMs;
    let uncertain = false;
    for (let count = 0; ; count += 1) {
      let failure: { readonly message: string; readonly cause?: unknown };
      let retryAfterMs: number | undefined;
      this.#check(signal);
      try {
        const response = await attempt(uncertain, deadline - performance.now());
        if (!isRetryable(response.status)) return response;
        failure = { message: `responded ${response.status}` };
        retryAfterMs = parseRetryAfter(headerOf(response.headers, 'Retry-After'), Date.now());
        uncertain ||= response.status !== 429;
      } catch (error) {
        if (isStoreError(error)) throw error;
        failure = { message: 'cannot be reached', cause: error };
        uncertain ||= !isRefused(error);
      }
      this.#check(signal);
      const pause = backoffMs(count, retryAfterMs);
      if (performance.now() + pause >= deadline) {
        throw new StoreError('UNAVAILABLE', `The Durable Streams backend ${failure.message}`, failure);
      }
      await this.pause(pause, signal);
    }
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#disposed) throw new StoreError('UNAVAILABLE', 'The store was disposed of');
    if (signal?.aborted) throw new StoreError('UNAVAILABLE', 'The read was canceled');
  }

  #dispatched({ method, path, headers, body }: BackendRequest): Dispatcher.DispatchOptions {
    return {
      method,
      path: this.#config.basePath + path,
      // Prevents encodings that change the bytes (RFC 9110, section 12.5.3).
      headers: { ...this.#config.headers, 'accept-encoding': 'identity', ...headers },
      ...(body !== undefined && { body: body as Buffer | string }),
      headersTimeout: 0,
      bodyTimeout: 0,
    };
  }

  /** One timer for waiting for a connection, connecting, and headers. */
  #timeout(signal: AbortSignal | undefined): { signal: AbortSignal; clear: () => void } {
    const controller = new AbortController();
    const ms = this.#config.requestTimeoutMs;
    const timer = setTimeout(() => controller.abort(new Error(`no answer within ${ms} ms`)), ms);
    const clear = this.#until(() => controller.abort(), signal);
    return {
      signal: controller.signal,
      clear: () => {
        clearTimeout(timer);
        clear();
      },
    };
  }

  /** Waits, at most until the store is disposed. */
  pause(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#disposed || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        clear();
        resolve();
      };
      const timer = setTimeout(done, ms);
      const clear = this.#until(done, signal);
    });
  }

  /** Waits for a promise, with a time limit. */
  async within(ms: number, work: Promise<unknown>): Promise<void> {
    const enough = new AbortController();
    await Promise.race([work, this.pause(ms, enough.signal)]).finally(() => enough.abort());
  }

  /** Calls `wake` when the signal aborts or the store is disposed. @returns a function that removes the listener. */
  #until(wake: () => void, signal: AbortSignal | undefined): () => void {
    this.#waiting.add(wake);
    signal?.addEventListener('abort', wake);
    return () => {
      this.#waiting.delete(wake);
      signal?.removeEventListener('abort', wake);
    };
  }
}

/** Returns true if no connection was made, so the request cannot have been carried out. */
function isRefused(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'UND_ERR_CONNECT_TIMEOUT';
}
