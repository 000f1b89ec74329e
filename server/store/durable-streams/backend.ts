import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Pool, type Dispatcher } from 'undici/index.js';
import { parseRetryAfter } from '../../shared/retry.ts';
import { StoreError } from '../types.ts';
import type { Config } from './options.ts';
import { backoffMs, isRetryable } from './retry.ts';
import { headerOf } from './wire.ts';

/** Maximum size in bytes of a buffered body: a metadata log or an error page. */
const MAX_WHOLE_BODY = 4_194_304;

export interface BackendRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  /** Path below the base path, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** True if an earlier attempt ended without a response, so that it may have been carried out. */
  readonly uncertain: boolean;
}

export interface StreamedAnswer {
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
  send(request: BackendRequest, limitMs = this.#config.retryTimeoutMs): Promise<Answer> {
    return this.#retry(
      async (uncertain, leftMs) => {
        const timeout = this.#timeout(undefined, leftMs);
        try {
          const { statusCode, headers, body } = await this.#dispatch(this.#short, request, timeout.signal);
          return { status: statusCode, headers, body: await whole(body), uncertain };
        } finally {
          timeout.clear();
        }
      },
      undefined,
      limitMs,
    );
  }

  /** As `send`, but streams the body. `signal` cancels the request until the headers arrive. */
  stream(request: BackendRequest, signal?: AbortSignal): Promise<StreamedAnswer> {
    return this.#retry(async () => {
      const timeout = this.#timeout(signal);
      try {
        const { statusCode, headers, body } = await this.#dispatch(this.#long, request, timeout.signal);
        // There may be no listener when a connection breaks.
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
        const answer = await attempt(uncertain, deadline - performance.now());
        if (!isRetryable(answer.status)) return answer;
        failure = { message: `answered ${answer.status}` };
        retryAfterMs = parseRetryAfter(headerOf(answer.headers, 'Retry-After'), Date.now());
        uncertain ||= answer.status !== 429;
      } catch (error) {
        if (error instanceof StoreError) throw error;
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
    if (signal?.aborted) throw new StoreError('UNAVAILABLE', 'The read was given up');
  }

  #dispatch(pool: Pool, request: BackendRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    return pool.request({
      method: request.method,
      path: this.#config.basePath + request.path,
      // Prevents encodings that change the bytes (RFC 9110, section 12.5.3).
      headers: { ...this.#config.headers, 'accept-encoding': 'identity', ...request.headers },
      ...(request.body !== undefined && { body: request.body as Buffer | string }),
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** One timer for the whole attempt: waiting for a connection, connecting, headers, body. */
  #timeout(signal?: AbortSignal, leftMs = Infinity): { signal: AbortSignal; clear: () => void } {
    const controller = new AbortController();
    const ms = Math.ceil(Math.min(this.#config.requestTimeoutMs, Math.max(leftMs, 1)));
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

  /** Calls `abort` when the signal aborts or the store is disposed. @returns a function that removes the listener. */
  #until(wake: () => void, signal: AbortSignal | undefined): () => void {
    this.#waiting.add(wake);
    signal?.addEventListener('abort', wake);
    return () => {
      this.#waiting.delete(wake);
      signal?.removeEventListener('abort', wake);
    };
  }
}

function whole(body: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    body
      .on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length <= MAX_WHOLE_BODY) chunks.push(chunk);
        else
          body.destroy(
            new StoreError('UNAVAILABLE', 'The Durable Streams backend sent a longer body than allowed'),
          );
      })
      .on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)))
      .on('error', reject);
  });
}

/** Returns true if no connection was made, so the request cannot have been carried out. */
function isRefused(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'UND_ERR_CONNECT_TIMEOUT';
}
