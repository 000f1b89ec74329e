import { ProxyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { StoreError, type StreamInfo } from '../store/types.ts';
import { keyReused, type Claimed, type Claims, type KeyUse } from './claims.ts';

/** A stream that a create made, or found. */
export interface Begun extends Pick<StreamInfo, 'contentType' | 'metadata' | 'end'> {
  readonly streamId: string;
}

export interface ExactlyOnceOptions {
  readonly claims: Pick<Claims, 'idOf' | 'claim'>;
  /** Milliseconds that one caller waits for the upstream's headers (`upstreamHeadersTimeoutMs`). */
  readonly waitMs: number;
  readonly logger: Logger;
}

/** One create in progress under a key, with everybody in this process who waits for it. */
interface InFlight {
  readonly fingerprint: string;
  readonly streamId: string;
  readonly result: Promise<Begun>;
  readonly waiting: AbortController;
  waiters: number;
  isSettled: boolean;
  /** Runs while nobody waits. */
  abandoned: NodeJS.Timeout | undefined;
}

/**
 * Makes one upstream call for all creates under one key. Creates of one process share the result of the first,
 * its failure too; across processes `Claims` decides. A caller whose wait ends gets 504 and can ask again: the
 * upstream request goes on, and is canceled if nobody asks for another `waitMs`.
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
   * @param waiting cancels what `begin` does.
   * @throws ProxyError `UPSTREAM_TIMEOUT` after `waitMs`; what `begin` and `Claims.claim` throw.
   */
  async run(
    use: KeyUse,
    begin: (claimId: string) => Promise<Begun>,
    waiting: AbortController,
  ): Promise<{ begun: Begun; replayed: boolean }> {
    const id = this.#options.claims.idOf(use);
    const first = this.#inFlight.get(id);
    if (first) {
      if (first.fingerprint !== use.fingerprint) throw keyReused();
      return { begun: await this.#wait(first), replayed: true };
    }
    let replayed = false;
    const result = this.#begin(use, begin, waiting, () => (replayed = true)).finally(() => {
      inFlight.isSettled = true;
      clearTimeout(inFlight.abandoned);
      this.#inFlight.delete(id);
    });
    // It can fail after the last caller has left.
    result.catch(() => undefined);
    const { fingerprint, streamId } = use;
    const inFlight: InFlight = {
      fingerprint,
      streamId,
      result,
      waiting,
      waiters: 0,
      isSettled: false,
      abandoned: undefined,
    };
    this.#inFlight.set(id, inFlight);
    return { begun: await this.#wait(inFlight), replayed };
  }

  /** Notes that a caller of another process waits for the create of this stream. */
  keepWaiting(streamId: string): void {
    for (const inFlight of this.#inFlight.values()) {
      if (inFlight.streamId === streamId && inFlight.waiters === 0) this.#abandonLater(inFlight, 2);
    }
  }

  async #wait(inFlight: InFlight): Promise<Begun> {
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

  /** @param waits how many `waitMs` to wait for the next caller: a caller elsewhere takes one before it leaves. */
  #abandonLater(inFlight: InFlight, waits: number): void {
    if (inFlight.isSettled) return;
    clearTimeout(inFlight.abandoned);
    inFlight.abandoned = setTimeout(() => inFlight.waiting.abort(abandoned()), waits * this.#options.waitMs);
    inFlight.abandoned.unref();
  }

  async #begin(
    use: KeyUse,
    begin: (claimId: string) => Promise<Begun>,
    waiting: AbortController,
    onReplay: () => void,
  ): Promise<Begun> {
    const claimed = await this.#claim(use, waiting.signal);
    if (!claimed.mine) {
      onReplay();
      const { streamId, info } = claimed;
      return { ...info, streamId };
    }
    try {
      const begun = await begin(claimed.id);
      // Not awaited: the stream itself shows that it exists.
      claimed.keep().catch(this.#onLost);
      return begun;
    } catch (error) {
      const isAborted = error instanceof ProxyError && error.code === 'REQUEST_ABORTED';
      // A failed create frees the key for the next one. An aborted one does not.
      const freed = (isAborted ? claimed.abort() : claimed.free()).catch(this.#onLost);
      // A store that just failed may not answer, and the caller gets its error now. The next create takes the key
      // over from a process that no longer creates its stream.
      if (!(error instanceof StoreError)) await freed;
      throw error;
    }
  }

  async #claim(use: KeyUse, canceled: AbortSignal): Promise<Claimed> {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(stillWaiting()), this.#options.waitMs);
    const signal = AbortSignal.any([limit.signal, canceled]);
    try {
      const claimed = await this.#options.claims.claim(use, signal);
      // Its caller has its 504 already, so there is no slot for an upstream request.
      if (signal.aborted && claimed.mine) await claimed.free().catch(this.#onLost);
      signal.throwIfAborted();
      return claimed;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Returns the error of a caller whose wait ends; a repetition under the same key waits again. */
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
