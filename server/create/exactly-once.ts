import { ProxyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { MAX_TIMER_MS } from '../shared/max-timer.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StreamInfo } from '../store/types.ts';
import { keyReused, type Claimed, type Claims, type KeyUse } from './claims.ts';

/** A stream that a create has created or found. */
export interface CreatedStream extends Pick<StreamInfo, 'contentType' | 'metadata' | 'end'> {
  readonly streamId: string;
}

export interface ExactlyOnceOptions {
  readonly claims: Pick<Claims, 'idOf' | 'claim'>;
  /** Milliseconds that one caller waits for the upstream's headers (`upstreamHeadersTimeoutMs`). */
  readonly waitMs: number;
  readonly logger: Logger;
}

/** One create in progress with a key, and all callers of this process that wait for it. */
interface InFlight {
  readonly fingerprint: string;
  readonly streamId: string;
  readonly result: Promise<CreatedStream>;
  readonly abortController: AbortController;
  waiters: number;
  isSettled: boolean;
  /** Set while no caller waits. */
  abandoned: NodeJS.Timeout | undefined;
}

/**
 * Makes one upstream call for all creates with the same key. Creates in one process share the result of the first,
 * including its failure; `Claims` decides between processes. A caller that has waited for `waitMs` gets 504 and can
 * retry. The upstream request continues, and is canceled if no retry comes within another `waitMs`.
 */
export class ExactlyOnce {
  readonly #options: ExactlyOnceOptions;
  readonly #onLost: (error: unknown) => void;
  readonly #inFlight = new Map<string, InFlight>();

  constructor(options: ExactlyOnceOptions) {
    this.#options = options;
    this.#onLost = (err) => options.logger.warn({ err }, 'could not store the result of an Idempotency-Key');
  }

  /**
   * @param begin calls the upstream; called at most once, and only if this request gets the key.
   * @param abortController cancels `begin`.
   * @throws ProxyError `UPSTREAM_TIMEOUT` after `waitMs`; errors of `begin` and `Claims.claim`.
   */
  async run(
    use: KeyUse,
    begin: (claimId: string) => Promise<CreatedStream>,
    abortController: AbortController,
  ): Promise<{ stream: CreatedStream; replayed: boolean }> {
    const id = this.#options.claims.idOf(use);
    const first = this.#inFlight.get(id);
    if (first) {
      if (first.fingerprint !== use.fingerprint) throw keyReused();
      return { stream: await this.#wait(first), replayed: true };
    }
    let replayed = false;
    const result = this.#begin(use, begin, abortController, () => (replayed = true)).finally(() => {
      inFlight.isSettled = true;
      clearTimeout(inFlight.abandoned);
      this.#inFlight.delete(id);
    });
    // Prevents an unhandled rejection if the create fails after the last caller has disconnected.
    result.catch(() => undefined);
    const { fingerprint, streamId } = use;
    const inFlight: InFlight = {
      fingerprint,
      streamId,
      result,
      abortController,
      waiters: 0,
      isSettled: false,
      abandoned: undefined,
    };
    this.#inFlight.set(id, inFlight);
    return { stream: await this.#wait(inFlight), replayed };
  }

  /** Registers that a caller of another process waits for the create of this stream. */
  keepWaiting(streamId: string): void {
    for (const inFlight of this.#inFlight.values()) {
      if (inFlight.streamId === streamId && inFlight.waiters === 0) this.#abandonLater(inFlight, 2);
    }
  }

  async #wait(inFlight: InFlight): Promise<CreatedStream> {
    clearTimeout(inFlight.abandoned);
    inFlight.waiters += 1;
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(stillWaiting()), this.#options.waitMs);
    });
    try {
      return await Promise.race([inFlight.result, limit]);
    } finally {
      clearTimeout(timer);
      inFlight.waiters -= 1;
      if (inFlight.waiters === 0) this.#abandonLater(inFlight, 1);
    }
  }

  /**
   * @param waits number of `waitMs` periods to wait for the next caller: 1 after a caller's wait has ended, 2 for a
   *   caller of another process, whose own wait takes one period.
   */
  #abandonLater(inFlight: InFlight, waits: number): void {
    if (inFlight.isSettled) return;
    clearTimeout(inFlight.abandoned);
    const ms = Math.min(waits * this.#options.waitMs, MAX_TIMER_MS);
    inFlight.abandoned = setTimeout(() => inFlight.abortController.abort(abandoned()), ms);
    inFlight.abandoned.unref();
  }

  async #begin(
    use: KeyUse,
    begin: (claimId: string) => Promise<CreatedStream>,
    abortController: AbortController,
    onReplay: () => void,
  ): Promise<CreatedStream> {
    const claimed = await this.#claim(use, abortController.signal);
    if (!claimed.mine) {
      onReplay();
      const { streamId, info } = claimed;
      return { ...info, streamId };
    }
    try {
      const stream = await begin(claimed.id);
      // Not awaited: even if this write fails, other creates find the stream.
      claimed.keep().catch(this.#onLost);
      return stream;
    } catch (error) {
      const isAborted = error instanceof ProxyError && error.code === 'REQUEST_ABORTED';
      // A failed create releases the key for the next one. An aborted one does not.
      const freed = (isAborted ? claimed.abort() : claimed.free()).catch(this.#onLost);
      // Not awaited if the store failed, so that an unresponsive store does not delay the caller's error. The next
      // create can take the key, because this process no longer creates its stream.
      if (!isStoreError(error)) await freed;
      throw error;
    }
  }

  async #claim(use: KeyUse, canceled: AbortSignal): Promise<Claimed> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(stillWaiting()), this.#options.waitMs);
    const signal = AbortSignal.any([limit.signal, canceled]);
    try {
      const claimed = await this.#options.claims.claim(use, signal);
      // The caller's wait has ended and its slot was released, so no upstream request may follow.
      if (signal.aborted && claimed.mine) await claimed.free().catch(this.#onLost);
      signal.throwIfAborted();
      return claimed;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Returns the error for a caller that has waited too long. A retry with the same key waits again. */
export function stillWaiting(): ProxyError {
  return new ProxyError(
    'UPSTREAM_TIMEOUT',
    'The upstream has not responded yet, and its request continues. Repeat this request with the same Idempotency-Key',
    { headers: { 'Retry-After': '1' } },
  );
}

function abandoned(): ProxyError {
  return new ProxyError(
    'UPSTREAM_TIMEOUT',
    'The upstream request was canceled because no caller waited for its response',
    {
      headers: { 'Retry-After': '1' },
    },
  );
}
