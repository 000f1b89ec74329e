import type { Logger } from '../shared/logger.ts';
import { metadataOf } from '../store/metadata.ts';
import { StoreError, type StreamEnd, type StreamInfo, type StreamStore } from '../store/types.ts';
import type { Presence } from './presence.ts';

/** How often the owners of streams that are being read are looked at. With the lease: noticed within 6 s. */
const LOOK_MS = 1_000;

export const INTERRUPTED: StreamEnd = Object.freeze({
  outcome: 'interrupted',
  error: Object.freeze({ code: 'INTERRUPTED', message: 'The proxy that held this answer went away' }),
});

export interface GuardianOptions {
  readonly store: StreamStore;
  readonly presence: Presence;
  readonly logger: Logger;
  /** Whether this process pumps the stream itself. */
  readonly isRunning: (streamId: string) => boolean;
}

/** Sees to it that no reader waits on a stream whose process died: whoever notices closes it as `interrupted`. */
export class Guardian {
  readonly #options: GuardianOptions;
  /** Streams of other processes that somebody here waits on, by owner, with the number of those who wait. */
  readonly #watched = new Map<string, Map<string, number>>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(options: GuardianOptions) {
    this.#options = options;
  }

  /** The stream as it is, closed first when its owner is gone. */
  async settle(streamId: string, info: StreamInfo): Promise<StreamInfo> {
    if (info.end || (await this.#isHeld(metadataOf(info).owner, streamId))) return info;
    await this.#options.store.close(streamId, INTERRUPTED);
    return (await this.#options.store.head(streamId)) ?? info;
  }

  /** Looks after a stream for as long as somebody waits on it; gives the function that ends it. */
  watch(streamId: string, info: StreamInfo): () => void {
    const { owner } = metadataOf(info);
    if (info.end || this.#options.isRunning(streamId)) return () => undefined;
    const streams = this.#watched.get(owner) ?? new Map<string, number>();
    this.#watched.set(owner, streams);
    streams.set(streamId, (streams.get(streamId) ?? 0) + 1);
    this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (streams.get(streamId) ?? 1) - 1;
      if (left > 0) streams.set(streamId, left);
      else this.#forget(owner, streams, streamId);
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #isHeld(owner: string, streamId: string): Promise<boolean> {
    const { presence, isRunning } = this.#options;
    return owner === presence.id ? isRunning(streamId) : presence.isAlive(owner);
  }

  /** Checks the owners of all watched streams. At most one pass runs at a time. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      for (const [owner, streams] of [...this.#watched]) await this.#lookAfter(owner, streams);
    } finally {
      this.#isLooking = false;
    }
  }

  async #lookAfter(owner: string, streams: Map<string, number>): Promise<void> {
    for (const streamId of [...streams.keys()]) {
      // Its last reader can leave while the pass waits for the store.
      if (!streams.has(streamId)) continue;
      try {
        if (await this.#isHeld(owner, streamId)) {
          // One answer is true for all streams of another process.
          if (owner !== this.#options.presence.id) return;
          continue;
        }
        await this.#close(streamId, owner);
        // Closed streams stay closed: there is nothing left to watch.
        this.#forget(owner, streams, streamId);
      } catch (err) {
        this.#options.logger.warn({ err, streamId }, 'could not check the owner of a stream');
      }
    }
  }

  async #close(streamId: string, owner: string): Promise<void> {
    const { store, logger } = this.#options;
    try {
      await store.close(streamId, INTERRUPTED);
      logger.warn({ streamId, owner }, 'closed the stream of a process that no longer exists');
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'NOT_FOUND')) throw error;
    }
  }

  #forget(owner: string, streams: Map<string, number>, streamId: string): void {
    streams.delete(streamId);
    if (streams.size === 0 && this.#watched.get(owner) === streams) this.#watched.delete(owner);
    if (this.#watched.size === 0) this.stop();
  }
}
