import { ProxyError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { StreamEnd } from '../store/types.ts';
import { keyReused, type Claimed, type Claims, type KeyUse } from './claims.ts';

/** A stream that a create made, or found. */
export interface Begun {
  readonly streamId: string;
  readonly contentType: string;
  readonly end?: StreamEnd | undefined;
}

/**
 * One upstream call for all creates under one key. Within the process those who come while the first still
 * waits for the upstream share its answer, and its failure too; across processes `Claims` decides.
 */
export class ExactlyOnce {
  readonly #claims: Claims;
  readonly #waitMs: number;
  readonly #onLost: (error: unknown) => void;
  readonly #inFlight = new Map<string, { fingerprint: string; result: Promise<Begun> }>();

  /** @param waitMs how long to wait for an answer that another process was asked for. */
  constructor(claims: Claims, waitMs: number, logger: Logger) {
    this.#claims = claims;
    this.#waitMs = waitMs;
    this.#onLost = (err) => logger.warn({ err }, 'could not write down what came of an Idempotency-Key');
  }

  async run(
    use: KeyUse,
    begin: (claimId: string) => Promise<Begun>,
  ): Promise<{ begun: Begun; replayed: boolean }> {
    const id = this.#claims.idOf(use);
    const first = this.#inFlight.get(id);
    if (first) {
      if (first.fingerprint !== use.fingerprint) throw keyReused();
      return { begun: await first.result, replayed: true };
    }
    let replayed = false;
    const result = this.#begin(use, begin, () => (replayed = true)).finally(() => this.#inFlight.delete(id));
    this.#inFlight.set(id, { fingerprint: use.fingerprint, result });
    return { begun: await result, replayed };
  }

  async #begin(
    use: KeyUse,
    begin: (claimId: string) => Promise<Begun>,
    onReplay: () => void,
  ): Promise<Begun> {
    const claimed = await this.#claim(use);
    if (!claimed.mine) {
      onReplay();
      const { streamId, info } = claimed;
      return { streamId, contentType: info.contentType, end: info.end };
    }
    try {
      const begun = await begin(claimed.id);
      // Not waited for, and no reason to fail: the stream itself says that it is there.
      claimed.keep().catch(this.#onLost);
      return begun;
    } catch (error) {
      // A failed create frees the key: whoever tries again may.
      await claimed.free().catch(this.#onLost);
      throw error;
    }
  }

  async #claim(use: KeyUse): Promise<Claimed> {
    const limit = new AbortController();
    const timer = setTimeout(() => {
      limit.abort(
        new ProxyError(
          'UPSTREAM_TIMEOUT',
          'Another request under this Idempotency-Key got no answer in time',
        ),
      );
    }, this.#waitMs);
    try {
      return await this.#claims.claim(use, limit.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}
