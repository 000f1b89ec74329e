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

/** Finds streams of dead processes, also those without readers, so that they are continued or closed. */
export class OrphanKeeper {
  readonly #options: OrphanKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(options: OrphanKeeperOptions) {
    this.#options = options;
  }

  /** Searches now, and then every two seconds. */
  start(): void {
    void this.#search();
    this.#timer = setInterval(() => void this.#search(), SEARCH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #search(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { processes, reconcile, logger } = this.#options;
    try {
      for (const orphans of await processes.orphans()) {
        for (const streamId of orphans.streamIds) await reconcile(streamId);
        await processes.forget(orphans);
      }
    } catch (err) {
      logger.warn({ err }, 'could not look for streams of dead processes');
    } finally {
      this.#isLooking = false;
    }
  }
}
