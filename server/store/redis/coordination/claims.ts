import type { Claim, ClaimState, ClaimTable } from '../../../coordination/types.ts';
import { newEpoch } from '../messages.ts';
import type { Access } from './access.ts';

/** Stores claims as hashes. The scripts that change a claim compare its token. */
export class RedisClaims implements ClaimTable {
  readonly #use: () => Access;
  readonly #ttlSeconds: number;

  constructor(use: () => Access, ttlSeconds: number) {
    this.#use = use;
    this.#ttlSeconds = ttlSeconds;
  }

  async take(key: string, claim: Claim, instead?: Claim): Promise<Claim> {
    const { token, process, fingerprint, state, abortedAt } = claim;
    const args = [token, process, fingerprint, state, String(abortedAt), newEpoch()];
    const shadow = [this.#shadowOf(claim), this.#ttl];
    const access = this.#use();
    const { take } = access.claims;
    const replaced = [instead?.token ?? '', instead?.state ?? ''];
    const [, ...standing] = await access.run(take, this.#keys(key), [...args, ...replaced, ...shadow]);
    return claimOf(standing);
  }

  async mark(key: string, token: string, state: Exclude<ClaimState, 'open'>): Promise<void> {
    const access = this.#use();
    await access.run(access.claims.mark, this.#keys(key), [token, state, String(Date.now()), this.#ttl]);
  }

  async watch(key: string, seen: Claim, signal: AbortSignal): Promise<void> {
    const access = this.#use();
    const isOver = async () => {
      const [status, ...standing] = await access.run(access.claims.get, this.#keys(key), []);
      if (status === 'NOT_FOUND') return true;
      const { token, state } = claimOf(standing);
      return token !== seen.token || state !== seen.state;
    };
    await access.topics.until(access.keys(key).live, isOver, signal);
  }

  get #ttl(): string {
    return String(Math.ceil(this.#ttlSeconds * 1_000));
  }

  #keys(key: string): [string, string, string] {
    const { claim, meta, log } = this.#use().keys(key);
    return [claim, meta, log];
  }

  /** Returns the properties with which version 0.1 creates the log of a claim. */
  #shadowOf({ token, process, fingerprint, state }: Claim): string {
    const metadata = {
      kind: 'claim',
      fingerprint: state === 'aborted' ? '' : fingerprint,
      streamId: token,
      owner: process,
    };
    return JSON.stringify({ contentType: 'text/plain', ttlSeconds: this.#ttlSeconds, metadata });
  }
}

function claimOf([token = '', process = '', fingerprint = '', state, abortedAt]: readonly string[]): Claim {
  return { token, process, fingerprint, state: state as ClaimState, abortedAt: Number(abortedAt) };
}
