import type { Processes } from '../coordination/types.ts';
import type { Logger } from '../shared/logger.ts';

/** Milliseconds between two searches for streams of dead processes. */
const SEARCH_MS = 2_000;

export interface OrphanKeeperOptions {
  readonly processes: Pick<Processes, 'orphans' | 'forget'>;
  /** Adopts the stream of a dead process, or closes it. */
  readonly reconcile: (streamId: string) => Promise<unknown>;
  readonly logger: Logger;
}

/**
 * Finds streams of dead processes in the lists of the coordinator, even those without readers, so that they are
 * continued or closed. `Guardian` does the same at once for streams that are read in this process.
 */
export class OrphanKeeper {
  readonly #options: OrphanKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #isSearching = false;

  constructor(options: OrphanKeeperOptions) {
    this.#options = options;
  }

  /** Searches now, and then every 2 s. */
  start(): void {
    void this.#search();
    this.#timer = setInterval(() => void this.#search(), SEARCH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #search(): Promise<void> {
    if (this.#isSearching) return;
    this.#isSearching = true;
    const { processes, reconcile, logger } = this.#options;
    try {
      for (const { process, streamIds } of await processes.orphans()) {
        const done: string[] = [];
        for (const streamId of streamIds) {
          // A stream that fails, such as one that a newer release wrote, must not delay all others.
          try {
            await reconcile(streamId);
            done.push(streamId);
          } catch (err) {
            logger.warn({ err, streamId }, 'could not continue or close the stream of a dead process');
          }
        }
        if (done.length > 0) await processes.forget({ process, streamIds: done });
      }
    } catch (err) {
      logger.warn({ err }, 'could not search for streams of dead processes');
    } finally {
      this.#isSearching = false;
    }
  }
}
