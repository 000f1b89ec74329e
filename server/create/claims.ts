import { createHash, randomUUID } from 'node:crypto';
import type { Claim, ClaimState, ClaimTable, Processes } from '../coordination/types.ts';
import { ProxyError } from '../shared/errors.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { ByteStore, StreamInfo } from '../store/types.ts';

/** An `Idempotency-Key` as one request uses it. */
export interface KeyUse {
  readonly subject: string | undefined;
  readonly key: string;
  /** Hash of everything that makes two requests the same. */
  readonly fingerprint: string;
  /** Id of the stream that this request creates if it gets the key. */
  readonly streamId: string;
}

export type Claimed =
  /** The caller holds the key: it may call the upstream, and must then call one of the functions. */
  | {
      readonly mine: true;
      readonly id: string;
      keep(): Promise<void>;
      free(): Promise<void>;
      abort(): Promise<void>;
    }
  /** The stream exists already. */
  | { readonly mine: false; readonly streamId: string; readonly info: StreamInfo };

export interface ClaimsOptions {
  readonly claims: ClaimTable;
  readonly processes: Pick<Processes, 'id' | 'isAlive'>;
  /** Notifies a process that a caller waits for its create. Returns false if the process is dead. */
  readonly notifyWaiting: (process: string, streamId: string) => Promise<boolean>;
  readonly streams: Pick<ByteStore, 'head'>;
  /** Returns true if this process creates or pumps the stream. */
  readonly isHere: (streamId: string) => boolean;
}

/** Milliseconds between two checks that the process with the key is alive. */
const CHECK_MS = 1_000;

/** Milliseconds for which creates with an aborted key are rejected. Longer than a client retries one create. */
export const ABORT_MEMORY_MS = 600_000;

/**
 * Decides which process may call the upstream for an `Idempotency-Key`: the one that claimed the key first, or that
 * replaced a holder which is dead or has finished. The token of a holder is the id of the stream that it creates.
 */
export class Claims {
  readonly #options: ClaimsOptions;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Returns a unique name for the key, the same in every process. */
  idOf({ subject, key }: Pick<KeyUse, 'subject' | 'key'>): string {
    return `claim-${hashOf([subject ?? null, key])}`;
  }

  /**
   * Claims the key, or waits for the stream of the request that holds it.
   * @param signal ends the wait for the holder.
   * @throws ProxyError `IDEMPOTENCY_KEY_REUSED` if the key belongs to another request, `REQUEST_ABORTED` if it was
   * aborted; StoreError; the signal's reason.
   */
  async claim(use: KeyUse, signal: AbortSignal): Promise<Claimed> {
    const id = this.idOf(use);
    try {
      return await this.#claim(id, use, signal);
    } catch (error) {
      // A write that the store reported as failed may have succeeded. Without this entry the key would stay claimed.
      if (isStoreError(error)) void this.#mark(id, use.streamId, 'freed').catch(() => undefined);
      throw error;
    }
  }

  /**
   * Marks the key as aborted, even if it is unknown.
   * @returns the holder, whose stream or pending create the caller has to stop; undefined if the key was unknown.
   */
  async abort(subject: string | undefined, key: string): Promise<Claim | undefined> {
    const { processes, streams } = this.#options;
    const id = this.idOf({ subject, key });
    const token = randomUUID();
    const at = Date.now();
    const aborted: Claim = { token, process: processes.id, fingerprint: '', state: 'aborted', abortedAt: at };
    let seen = await this.#take(id, aborted);
    for (;;) {
      if (seen.token === token) return undefined;
      // The caller aborts the existing stream.
      if (seen.state === 'kept' && (await streams.head(seen.token))) return seen;
      await this.#mark(id, seen.token, 'aborted');
      // If another request has claimed the key in the meantime, it has to be aborted too.
      const now = await this.#take(id, aborted);
      if (now.token === seen.token) return seen;
      seen = now;
    }
  }

  /** Releases the key after the stream was deleted. Does nothing if another stream holds the key. */
  async release(id: string, streamId: string): Promise<void> {
    await this.#mark(id, streamId, 'freed');
  }

  async #claim(id: string, use: KeyUse, signal: AbortSignal): Promise<Claimed> {
    const { processes, streams } = this.#options;
    const { streamId: token, fingerprint } = use;
    const ours: Claim = { token, process: processes.id, fingerprint, state: 'open', abortedAt: 0 };
    let notifiedToken = '';
    let claim = await this.#take(id, ours);
    for (;;) {
      signal.throwIfAborted();
      if (claim.token === token) return this.#mine(id, use);
      const stream = await inTime(streams.head(claim.token), CREATE_STORE_MS);
      // The stream of a refused create stays readable but does not keep its key (IDEM-5).
      const isRefused = claim.state === 'freed' && stream?.end?.outcome === 'refused';
      const info = isRefused ? undefined : stream;
      if (!info && claim.state === 'aborted' && Date.now() - claim.abortedAt < ABORT_MEMORY_MS) {
        throw requestAborted();
      }
      if (claim.state === 'open' || claim.state === 'kept' || info) {
        if (claim.fingerprint !== fingerprint) throw keyReused();
        if (info) return { mine: false, streamId: claim.token, info };
      }
      if (claim.state === 'open' && (await this.#isHeld(claim))) {
        const isDead = notifiedToken !== claim.token && !(await this.#notify(claim));
        notifiedToken = claim.token;
        // A dead process has died since `#isHeld` checked it.
        if (!isDead) await this.#change(id, claim, signal);
        claim = await this.#take(id, ours);
        continue;
      }
      claim = await this.#take(id, ours, claim);
    }
  }

  #mine(id: string, { streamId }: KeyUse): Claimed {
    return {
      mine: true,
      id,
      keep: () => this.#mark(id, streamId, 'kept'),
      free: () => this.#mark(id, streamId, 'freed'),
      abort: () => this.#mark(id, streamId, 'aborted'),
    };
  }

  #take(id: string, claim: Claim, instead?: Claim): Promise<Claim> {
    return inTime(this.#options.claims.take(id, claim, instead), CREATE_STORE_MS);
  }

  #mark(id: string, token: string, state: Exclude<ClaimState, 'open'>): Promise<void> {
    return inTime(this.#options.claims.mark(id, token, state), CREATE_STORE_MS);
  }

  #isHeld({ process, token }: Claim): boolean | Promise<boolean> {
    const { processes, isHere } = this.#options;
    if (process === processes.id) return isHere(token);
    return inTime(processes.isAlive(process), CREATE_STORE_MS);
  }

  async #notify({ process, token }: Claim): Promise<boolean> {
    const { processes, notifyWaiting } = this.#options;
    return process === processes.id || (await inTime(notifyWaiting(process, token), CREATE_STORE_MS));
  }

  /** Waits until the claim changes, but at most until its process has to be checked again. */
  async #change(id: string, seen: Claim, signal: AbortSignal): Promise<void> {
    const check = AbortSignal.timeout(CHECK_MS);
    try {
      const watching = this.#options.claims.watch(id, seen, AbortSignal.any([signal, check]));
      await inTime(watching, CHECK_MS + CREATE_STORE_MS);
    } catch (error) {
      signal.throwIfAborted();
      if (!check.aborted) throw error;
    }
  }
}

export function keyReused(): ProxyError {
  return new ProxyError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used for a request with another URL, method or body. Use a new key',
  );
}

export function requestAborted(): ProxyError {
  return new ProxyError(
    'REQUEST_ABORTED',
    'This request was aborted. To send it again, use a new Idempotency-Key',
  );
}

/** Returns a hash that can be part of an id. Different lists have different hashes. */
export function hashOf(parts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40);
}
