import { readClaim } from '../../../coordination/logs/claims.ts';
import type { Claim, ClaimState, ClaimTable } from '../../../coordination/types.ts';
import type { ByteStore } from '../../types.ts';
import type { SharedCoordination } from './shared.ts';

export interface EmbeddedTableOptions {
  readonly use: () => SharedCoordination;
  /** The store, which may contain logs of version 0.1. */
  readonly store: ByteStore;
  /** Seconds that a row is kept after its last use. */
  readonly ttlSeconds: number;
}

/**
 * Stores claims as rows. The claim of a create need not be durable: after a crash its process is dead, and the key is
 * free.
 */
export class EmbeddedClaims implements ClaimTable {
  readonly #options: EmbeddedTableOptions;

  constructor(options: EmbeddedTableOptions) {
    this.#options = options;
  }

  async take(key: string, claim: Claim, instead?: Claim): Promise<Claim> {
    const { use, ttlSeconds } = this.#options;
    await this.#migrate(key);
    // No await from here on, so that two callers cannot replace the same holder.
    const standing = this.#get(key);
    const { table } = use();
    const isSeen = standing?.token === instead?.token && standing?.state === instead?.state;
    if (standing && (standing.token === claim.token || !isSeen)) {
      table.touch(key, ttlSeconds);
      return standing;
    }
    const written = this.#put(key, claim);
    if (claim.state === 'open') written.catch(() => undefined);
    else await written;
    return claim;
  }

  async mark(key: string, token: string, state: Exclude<ClaimState, 'open'>): Promise<void> {
    await this.#migrate(key);
    const claim = this.#get(key);
    if (claim?.token !== token) return;
    if ((state === 'kept' && claim.state !== 'open') || (state === 'freed' && claim.state === 'aborted'))
      return;
    const abortedAt = state === 'aborted' ? Date.now() : claim.abortedAt;
    await this.#put(key, { ...claim, state, abortedAt });
  }

  async watch(key: string, seen: Claim, signal: AbortSignal): Promise<void> {
    const { use } = this.#options;
    const isOver = () => {
      const claim = this.#get(key);
      return claim?.token !== seen.token || claim.state !== seen.state;
    };
    await use().until(key, isOver, signal);
  }

  #get(key: string): Claim | undefined {
    return this.#options.use().table.get(key) as Claim | undefined;
  }

  #put(key: string, claim: Claim): Promise<void> {
    const { use, ttlSeconds } = this.#options;
    const written = use().table.put(key, claim, ttlSeconds);
    use().changed(key);
    return written;
  }

  /** Moves a claim from a log of version 0.1 to a row. */
  async #migrate(key: string): Promise<void> {
    const { store } = this.#options;
    if (this.#get(key)) return;
    const old = await readClaim(store, key);
    if (!old || this.#get(key)) return;
    void this.#put(key, old)
      .then(() => store.delete(key))
      .catch(() => undefined);
  }
}
