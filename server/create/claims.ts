import { createHash } from 'node:crypto';
import { ProxyError } from '../errors.ts';
import type { Presence } from '../peers/presence.ts';
import { followUntil } from '../store/log.ts';
import { KIND_CLAIM } from '../store/metadata.ts';
import { StoreError, type StreamInfo, type StreamStore } from '../store/types.ts';

/** An `Idempotency-Key` as one request uses it. */
export interface KeyUse {
  readonly subject: string | undefined;
  readonly key: string;
  /** Of all that makes two requests the same. */
  readonly fingerprint: string;
  /** What the stream will be called if the key is ours. */
  readonly streamId: string;
}

export type Claimed =
  /** The key is ours: call the upstream, then `keep` or `free` it. */
  | { readonly mine: true; readonly id: string; keep(): Promise<void>; free(): Promise<void> }
  /** Somebody has made that stream already. */
  | { readonly mine: false; readonly streamId: string; readonly info: StreamInfo };

/** How often somebody who waits for another process's answer looks whether that process still lives. */
const LOOK_MS = 1_000;

/**
 * Who may call the upstream for an `Idempotency-Key`: of all processes on the store, the one whose `create`
 * of the key's log succeeded. Closing that log says that the stream is there; deleting it frees the key.
 */
export class Claims {
  readonly #store: StreamStore;
  readonly #presence: Presence;
  readonly #ttlSeconds: number;

  constructor(store: StreamStore, presence: Presence, ttlSeconds: number) {
    this.#store = store;
    this.#presence = presence;
    this.#ttlSeconds = ttlSeconds;
  }

  /** The claim's name: the same for the same key of the same caller, on every process. */
  idOf({ subject, key }: KeyUse): string {
    return `claim-${hashOf([subject ?? null, key])}`;
  }

  /**
   * @param signal ends the waiting for another process's answer.
   * @throws ProxyError `IDEMPOTENCY_KEY_REUSED` when the key stands for another request.
   */
  async claim(use: KeyUse, signal: AbortSignal): Promise<Claimed> {
    const id = this.idOf(use);
    for (;;) {
      signal.throwIfAborted();
      if (await this.#take(id, use)) {
        return { mine: true, id, keep: () => this.#keep(id), free: () => this.#free(id) };
      }
      const claim = await this.#store.head(id);
      if (!claim) continue;
      const { fingerprint, streamId = '', owner = '' } = claim.metadata;
      if (fingerprint !== use.fingerprint) throw keyReused();
      const info = await this.#store.head(streamId);
      if (info) {
        await this.#touch(id);
        return { mine: false, streamId, info };
      }
      // Answered, but its stream is gone; or its process died before the answer: the key is free again.
      if (claim.end || !(await this.#presence.isAlive(owner))) await this.#free(id);
      else await this.#change(id, signal);
    }
  }

  /** Frees the key of a stream that is deleted. */
  async forget(id: string): Promise<void> {
    await this.#free(id);
  }

  #take(id: string, { fingerprint, streamId }: KeyUse): Promise<boolean> {
    return this.#store.create(id, {
      contentType: 'text/plain',
      ttlSeconds: this.#ttlSeconds,
      metadata: { kind: KIND_CLAIM, fingerprint, streamId, owner: this.#presence.id },
    });
  }

  async #keep(id: string): Promise<void> {
    await this.#store.close(id, { outcome: 'complete' });
  }

  async #free(id: string): Promise<void> {
    await this.#store.delete(id);
  }

  /** A key that is asked for lives as long as its stream. */
  async #touch(id: string): Promise<void> {
    await this.#store.read(id, '-1', 1).catch(ignoreMissing);
  }

  /** Waits until the claim is closed or deleted, but not longer than it takes to notice a dead owner. */
  async #change(id: string, signal: AbortSignal): Promise<void> {
    const look = AbortSignal.timeout(LOOK_MS);
    try {
      await followUntil(this.#store, id, AbortSignal.any([signal, look]), () => false);
    } catch (error) {
      signal.throwIfAborted();
      if (!look.aborted) ignoreMissing(error);
    }
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof StoreError && error.code === 'NOT_FOUND')) throw error;
}

export function keyReused(): ProxyError {
  return new ProxyError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key stands for another request (its URL, method or body differs); take a new key',
  );
}

/** A text for an id: no two lists share one, and nothing of a stranger's text is in it. */
export function hashOf(parts: readonly (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 40);
}
