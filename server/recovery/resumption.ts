import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ProxyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { MaybePromise } from '../shared/maybe-promise.ts';
import { inTime } from '../store/bounded.ts';
import { discardBody, readErrorBody, type UpstreamResponse } from '../upstream/client.ts';
import { isWorthRetrying, pauseBefore, retryAfterMs } from './backoff.ts';
import type { ResumeRequest, UpstreamEvent } from './types.ts';

/** Maximum number of requests for one stream in total. */
export const MAX_ATTEMPTS = 200;
/** Maximum bytes of an error response that are passed to a recovery. */
const MAX_REFUSAL_BYTES = 65_536;
/** Milliseconds between two requests for a stored response that is in progress, and of all such requests together. */
const POLL_MS = 5_000;
const MAX_POLLING_MS = 3_600_000;
/** Codes of errors that the same request would get again. */
const FINAL_CODES: ReadonlySet<string> = new Set(['UPSTREAM_NOT_ALLOWED', 'SHUTTING_DOWN']);

/** Why a stream had to be continued. Corresponds to the outcome that it would have had. */
export type RecoveryCause = 'upstream-error' | 'timeout' | 'truncated' | 'interrupted';

/** One gap in a stream, from its break to the next new event. */
export interface Recovered {
  /** Number of requests that were sent. */
  readonly attempt: number;
  readonly cause: RecoveryCause;
  /** Milliseconds from the break to the next new event. */
  readonly gapMs: number;
}

export interface ResumptionOptions {
  /** Returns the request that continues after the stored events, or null. */
  readonly resume: () => MaybePromise<ResumeRequest | null>;
  /** Sends a request after the allowlist and `prepareUpstream`. Does not follow redirects. */
  readonly send: (request: ResumeRequest, signal: AbortSignal) => Promise<UpstreamResponse>;
  /** Milliseconds without a new event after which no further attempt is made (`recoveryTimeoutMs`). */
  readonly timeoutMs: number;
  /** Longest whole response that is read instead of a stream, in bytes. */
  readonly maxBytes: number;
  readonly logger: Logger;
  /** Milliseconds before an attempt. Default: backoff with jitter. */
  readonly pauseBefore?: (attempt: number) => number;
  /** Default 5,000. */
  readonly pollMs?: number;
}

/** A response that continues the stream. */
export interface Resumed {
  readonly body: Readable;
  readonly isRepeated: ((event: UpstreamEvent) => boolean) | undefined;
}

/**
 * Result of an attempt: a response, another request to send, another attempt after a pause, or undefined to give up.
 */
type Result =
  | { readonly resumed: Resumed }
  | { readonly instead: ResumeRequest }
  | { readonly retryMs: number; readonly isAlive?: true }
  | undefined;

/** Finds the responses that continue one stream, within limits on attempts and time. */
export class Resumption {
  readonly #options: ResumptionOptions;
  #attemptsLeft = MAX_ATTEMPTS;
  /** Attempts since the last new event. */
  #attempts = 0;
  /** The gap that has not ended. */
  #gap: { readonly cause: RecoveryCause; readonly since: number } | undefined;
  /** Time at which the upstream last showed that it works on the answer, as `performance.now()`. */
  #aliveAt = 0;
  /** Request to send instead of the one that `resume` returns. */
  #instead: ResumeRequest | undefined;

  constructor(options: ResumptionOptions) {
    this.#options = options;
  }

  /** Records that the stream broke. Several breaks without a new event in between are one gap. */
  broke(cause: RecoveryCause): void {
    if (this.#gap) return;
    this.#aliveAt = performance.now();
    this.#gap = { cause, since: this.#aliveAt };
  }

  /** Milliseconds within which a new event has to arrive. */
  get remainingMs(): number {
    return Math.max(0, this.#aliveAt + this.#options.timeoutMs - performance.now());
  }

  /** Records a new event, which ends the gap. */
  succeeded(): Recovered {
    const { cause, since } = this.#gap!;
    const attempt = this.#attempts;
    this.#attempts = 0;
    this.#gap = undefined;
    return { attempt, cause, gapMs: Math.round(performance.now() - since) };
  }

  /**
   * Resolves with the next response that continues the stream, or undefined if there is none.
   * @param signal ends the attempts; then resolves with undefined.
   */
  async next(signal: AbortSignal): Promise<Resumed | undefined> {
    const { logger } = this.#options;
    const pause = this.#options.pauseBefore ?? pauseBefore;
    let retryMs = 0;
    while (this.#attemptsLeft > 0 && !signal.aborted) {
      const waitMs = Math.max(this.#instead ? 0 : pause(this.#attempts), retryMs);
      if (waitMs > this.remainingMs) return undefined;
      if (!(await delay(waitMs, true, { signal }).catch(() => false))) return undefined;
      this.#attempts += 1;
      this.#attemptsLeft -= 1;
      let result: Result;
      try {
        result = await this.#attempt(signal);
      } catch (err) {
        if (signal.aborted) return undefined;
        logger.debug({ err }, 'an attempt to continue a stream failed');
        if (err instanceof ProxyError && FINAL_CODES.has(err.code)) return undefined;
        result = { retryMs: 0 };
      }
      if (!result) return undefined;
      if ('resumed' in result) return result.resumed;
      if ('instead' in result) this.#instead = result.instead;
      else {
        retryMs = result.retryMs;
        if (result.isAlive) this.#stillInProgress();
      }
    }
    return undefined;
  }

  /** Records that the stored response is in progress. For one hour at most, this shows that the upstream is alive. */
  #stillInProgress(): void {
    this.#attemptsLeft += 1;
    const now = performance.now();
    if (now - this.#gap!.since < MAX_POLLING_MS) this.#aliveAt = now;
  }

  async #attempt(signal: AbortSignal): Promise<Result> {
    const { send, resume } = this.#options;
    const request =
      this.#instead ?? (await inTime((async () => resume())(), this.remainingMs, 'resume() of a recovery'));
    if (!request) return undefined;
    const response = await send(request, signal);
    const { status, headers, body } = response;
    if (status >= 200 && status < 300) return this.#accepted(request, response);
    if (isWorthRetrying(status)) {
      discardBody(body);
      return { retryMs: retryAfterMs(headers['retry-after']) };
    }
    if (status < 400) return void discardBody(body);
    const refusal = await readErrorBody(body, MAX_REFUSAL_BYTES);
    const instead = request.refused?.({ status, body: refusal.toString('utf8') });
    return instead ? { instead } : undefined;
  }

  async #accepted(request: ResumeRequest, { status, headers, body }: UpstreamResponse): Promise<Result> {
    const { isRepeated, read } = request;
    if (read) {
      const rest = read((await readWhole(body, this.#options.maxBytes)).toString('utf8'));
      if (rest === undefined) return { retryMs: this.#options.pollMs ?? POLL_MS, isAlive: true };
      return { resumed: { body: Readable.from([Buffer.from(rest)]), isRepeated } };
    }
    if (/^text\/event-stream\b/i.test(headers['content-type'] ?? ''))
      return { resumed: { body, isRepeated } };
    discardBody(body);
    // 204 makes an EventSource stop reconnecting (WHATWG HTML, "Server-sent events"). Other responses without events
    // are taken for the error page of a gateway.
    return status === 204 ? undefined : { retryMs: 0 };
  }
}

async function readWhole(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw new RangeError(`The stored response is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
