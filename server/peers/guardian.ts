import type { Logger } from '../shared/logger.ts';
import type { Processes } from '../coordination/types.ts';
import { INTERRUPTED } from '../store/interrupted.ts';
import { metadataOf } from '../store/metadata.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StreamEnd, StreamInfo, StreamStore } from '../store/types.ts';

/**
 * Milliseconds between two checks of the processes whose streams are being read. A death is detected within 6 s,
 * which includes the lease.
 */
const CHECK_MS = 1_000;

export interface GuardianOptions {
  readonly store: StreamStore;
  readonly processes: Pick<Processes, 'id' | 'isAlive'>;
  readonly logger: Logger;
  /** Continues the stream of a dead process. Returns false if that is not possible, so that the stream is closed. */
  readonly adopt: (streamId: string, info: StreamInfo) => Promise<boolean>;
  /** Returns true if this process pumps the stream itself. */
  readonly isRunning: (streamId: string) => boolean;
  /** Closes the stream of a dead process. */
  readonly close: (streamId: string, info: StreamInfo, end: StreamEnd) => Promise<unknown>;
}

interface Watched {
  owner: string;
  /** Readers in this process. */
  waiting: number;
}

/**
 * Continues the streams of dead processes, or closes them as `interrupted`, so that readers do not wait forever. Checks
 * only streams that are read in this process. `OrphanKeeper` finds the others.
 */
export class Guardian {
  readonly #options: GuardianOptions;
  /** Streams of other processes that have readers in this process. */
  readonly #watched = new Map<string, Watched>();
  #timer: NodeJS.Timeout | undefined;
  #isChecking = false;

  constructor(options: GuardianOptions) {
    this.#options = options;
  }

  /** Returns the stream. Continues or closes it first if its process is dead. */
  async reconcile(streamId: string, info: StreamInfo): Promise<StreamInfo> {
    if (info.end || (await this.#isHeld(metadataOf(info).owner, streamId))) return info;
    await this.#close(streamId, info);
    return (await this.#options.store.head(streamId)) ?? info;
  }

  /**
   * Watches a stream while it has readers.
   * @returns a function that ends the watch.
   */
  watch(streamId: string, info: StreamInfo): () => void {
    if (info.end || this.#options.isRunning(streamId)) return () => undefined;
    const watched = this.#watched.get(streamId) ?? { owner: metadataOf(info).owner, waiting: 0 };
    this.#watched.set(streamId, watched);
    watched.waiting += 1;
    this.#timer ??= setInterval(() => void this.#check(), CHECK_MS).unref();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      watched.waiting -= 1;
      if (watched.waiting === 0) this.#forget(streamId, watched);
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #isHeld(owner: string, streamId: string): boolean | Promise<boolean> {
    const { processes, isRunning } = this.#options;
    return owner === processes.id ? isRunning(streamId) : processes.isAlive(owner);
  }

  /** Checks the processes of all watched streams. At most one pass runs at a time. */
  async #check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    const alive = new Set<string>();
    try {
      for (const [streamId, watched] of [...this.#watched]) {
        // The result is valid for all streams of the same process.
        if (alive.has(watched.owner) || this.#watched.get(streamId) !== watched) continue;
        if (await this.#isStillOwned(streamId, watched)) alive.add(watched.owner);
      }
    } finally {
      this.#isChecking = false;
    }
  }

  /** Returns true if another process runs the stream and may be alive. */
  async #isStillOwned(streamId: string, watched: Watched): Promise<boolean> {
    const { store, processes, logger } = this.#options;
    const { owner } = watched;
    try {
      if (await this.#isHeld(owner, streamId)) return owner !== processes.id;
      const info = await store.head(streamId);
      const isAdopted = info && metadataOf(info).owner !== owner;
      // The next pass checks the process that adopted the stream.
      if (isAdopted) watched.owner = metadataOf(info).owner;
      else if (!info || info.end || (await this.#close(streamId, info))) this.#forget(streamId, watched);
      return false;
    } catch (err) {
      logger.warn({ err, streamId }, 'could not check the owner of a stream');
      return true;
    }
  }

  /** Adopts a stream, or closes it. Returns false if it was adopted. */
  async #close(streamId: string, info: StreamInfo): Promise<boolean> {
    const { close, adopt, logger } = this.#options;
    if (await adopt(streamId, info)) return false;
    try {
      await close(streamId, info, INTERRUPTED);
      const { owner } = metadataOf(info);
      logger.warn({ streamId, owner }, 'closed the stream of a process that no longer exists');
      return true;
    } catch (error) {
      const code = isStoreError(error) ? error.code : undefined;
      if (code !== 'NOT_FOUND' && code !== 'FENCED') throw error;
      return code === 'NOT_FOUND';
    }
  }

  #forget(streamId: string, watched: Watched): void {
    if (this.#watched.get(streamId) === watched) this.#watched.delete(streamId);
    if (this.#watched.size === 0) this.stop();
  }
}
