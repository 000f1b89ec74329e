import { createHash, randomUUID } from 'node:crypto';
import { ProxyError } from '../shared/errors.ts';
import type { Presence } from '../peers/presence.ts';
import type { CreateStore } from '../store/bounded.ts';
import { followUntil, LineSplitter, readLines } from '../store/log.ts';
import { KIND_CLAIM } from '../store/metadata.ts';
import { StoreError, type StreamInfo } from '../store/types.ts';
import { applyEntry, firstClaim, type Claim, type ClaimEntry } from './claim-log.ts';

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
  /** The caller holds the key: it may call the upstream, then calls one of the functions. */
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
  readonly store: CreateStore;
  readonly presence: Pick<Presence, 'id' | 'isAlive' | 'tellWaiting'>;
  /** Seconds that a key is remembered after its last use. */
  readonly ttlSeconds: number;
  /** Whether this process creates or pumps the stream. */
  readonly isHere: (streamId: string) => boolean;
}

/** Milliseconds between two checks that the process which holds the key is alive. */
const LOOK_MS = 1_000;

/** Milliseconds for which an aborted key refuses creates. Longer than a client retries one create. */
export const ABORT_MEMORY_MS = 600_000;

/**
 * Decides which process may call the upstream for an `Idempotency-Key`: the one that created the key's log, or
 * the first one that appended itself as the successor of a holder that is dead or done. The log is never
 * deleted, and each entry names the holder that its writer saw (see `ClaimEntry`): a process that acts on an
 * outdated view changes nothing.
 */
export class Claims {
  readonly #options: ClaimsOptions;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Returns the id of the key's log, the same on every process. */
  idOf({ subject, key }: Pick<KeyUse, 'subject' | 'key'>): string {
    return `claim-${hashOf([subject ?? null, key])}`;
  }

  /**
   * Takes the key, or waits for the stream of the request that holds it.
   *
   * @param signal ends the wait for the holder.
   * @throws ProxyError `IDEMPOTENCY_KEY_REUSED` if the key belongs to another request, `REQUEST_ABORTED` if it
   * was aborted; StoreError; the signal's reason.
   */
  async claim(use: KeyUse, signal: AbortSignal): Promise<Claimed> {
    for (let id = this.idOf(use); ; id = successorOf(id)) {
      try {
        const claimed = await this.#claim(id, use, signal);
        if (claimed) return claimed;
      } catch (error) {
        // A write that was reported as failed may have been made. Without this line the key would stay taken.
        if (error instanceof StoreError)
          void this.#write(id, { of: use.streamId, state: 'freed' }).catch(() => undefined);
        throw error;
      }
    }
  }

  /**
   * Marks the key as aborted, also if it is unknown. Returns the holder, whose stream or pending create the
   * caller has to stop; undefined if the key was unknown.
   */
  async abort(subject: string | undefined, key: string): Promise<Claim | undefined> {
    const { store, presence, ttlSeconds } = this.#options;
    let id = this.idOf({ subject, key });
    for (;;) {
      const at = Date.now();
      const created = await store.create(id, {
        contentType: 'text/plain',
        ttlSeconds,
        metadata: {
          kind: KIND_CLAIM,
          fingerprint: '',
          streamId: randomUUID(),
          owner: presence.id,
          abortedAt: String(at),
        },
      });
      if (created) return undefined;
      const seen = await this.#load(id);
      if (!seen) continue;
      // The stream itself is what the caller aborts.
      if ((seen.state === 'kept' || seen.isClosed) && (await store.head(seen.streamId))) return seen;
      if (seen.isClosed) {
        id = successorOf(id);
        continue;
      }
      await this.#write(id, { of: seen.streamId, state: 'aborted', at });
      // If another request took the key in between, that one has to be aborted.
      if ((await this.#load(id))?.streamId === seen.streamId) return seen;
    }
  }

  /** Frees the key after the stream was deleted. Does nothing if another stream holds the key by now. */
  async forget(id: string, streamId: string): Promise<void> {
    await this.#write(id, { of: streamId, state: 'freed' });
  }

  /** Returns undefined if the log is closed and its stream does not exist any more. */
  async #claim(id: string, use: KeyUse, signal: AbortSignal): Promise<Claimed | undefined> {
    const { store, presence } = this.#options;
    let told = '';
    for (;;) {
      signal.throwIfAborted();
      if (await this.#create(id, use)) return this.#mine(id, use);
      const claim = await this.#load(id);
      if (!claim) continue;
      const { streamId, owner } = claim;
      const stream = await store.head(streamId);
      // The stream of a refused create is there for its readers, but no longer under the key (IDEM-5).
      const isRefused = claim.state === 'freed' && stream?.end?.outcome === 'refused';
      const info = isRefused ? undefined : stream;
      if (!info && claim.state === 'aborted' && Date.now() - claim.abortedAt < ABORT_MEMORY_MS) {
        throw requestAborted();
      }
      if (claim.state === 'open' || claim.state === 'kept' || info) {
        if (claim.fingerprint !== use.fingerprint) throw keyReused();
        if (info) return { mine: false, streamId, info };
      }
      if (claim.isClosed) return undefined;
      if (claim.state === 'open' && (await this.#isHeld(claim))) {
        if (told !== streamId && owner !== presence.id) {
          told = streamId;
          // Its process has ended since it was checked.
          if (!(await presence.tellWaiting(owner, streamId))) continue;
        }
        await this.#change(id, claim, signal);
        continue;
      }
      await this.#write(id, {
        of: streamId,
        state: 'taken',
        streamId: use.streamId,
        owner: presence.id,
        fingerprint: use.fingerprint,
      });
      if ((await this.#load(id))?.streamId === use.streamId) return this.#mine(id, use);
    }
  }

  #mine(id: string, { streamId: of }: KeyUse): Claimed {
    return {
      mine: true,
      id,
      keep: () => this.#write(id, { of, state: 'kept' }),
      free: () => this.#write(id, { of, state: 'freed' }),
      abort: () => this.#write(id, { of, state: 'aborted', at: Date.now() }),
    };
  }

  #create(id: string, { fingerprint, streamId }: KeyUse): Promise<boolean> {
    const { store, presence, ttlSeconds } = this.#options;
    return store.create(id, {
      contentType: 'text/plain',
      ttlSeconds,
      metadata: { kind: KIND_CLAIM, fingerprint, streamId, owner: presence.id },
    });
  }

  #isHeld({ owner, streamId }: Claim): boolean | Promise<boolean> {
    const { presence, isHere } = this.#options;
    return owner === presence.id ? isHere(streamId) : presence.isAlive(owner);
  }

  /** Reads the key's log, which also restarts its TTL. */
  async #load(id: string): Promise<(Claim & { readonly isClosed: boolean }) | undefined> {
    const { store } = this.#options;
    const info = await store.head(id);
    if (!info) return undefined;
    try {
      const claim = (await readLines(store, id)).reduce(applyEntry, firstClaim(info.metadata));
      return { ...claim, isClosed: info.end !== undefined };
    } catch (error) {
      ignoreMissing(error);
      return undefined;
    }
  }

  async #write(id: string, entry: ClaimEntry): Promise<void> {
    await this.#options.store.append(id, Buffer.from(`${JSON.stringify(entry)}\n`)).catch(ignoreMissing);
  }

  /** Waits until the claim is no longer as seen, but at most until the owner has to be checked again. */
  async #change(id: string, seen: Claim, signal: AbortSignal): Promise<void> {
    const look = AbortSignal.timeout(LOOK_MS);
    const lines = new LineSplitter();
    let claim: Claim | undefined;
    try {
      await followUntil(this.#options.store, id, AbortSignal.any([signal, look]), (frame, { metadata }) => {
        claim = lines.push(frame.bytes).reduce(applyEntry, claim ?? firstClaim(metadata));
        return claim.streamId !== seen.streamId || claim.state !== seen.state;
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!look.aborted) ignoreMissing(error);
    }
  }
}

/** A log that is missing or closed belongs to no create in progress, so nothing has to be written to it. */
function ignoreMissing(error: unknown): void {
  if (!(error instanceof StoreError && (error.code === 'NOT_FOUND' || error.code === 'CLOSED'))) throw error;
}

/**
 * Returns the id of the log that replaces a closed one. Version 0.1 closed the logs of finished creates. A closed log
 * never changes, so all processes move on to the same id; deleting it would race with a process that already did.
 */
function successorOf(id: string): string {
  return `${id}-n`;
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

/** Returns a hash that is safe in an id. Different lists give different hashes. */
export function hashOf(parts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40);
}
