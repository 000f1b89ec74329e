import type { Processes } from '../coordination/types.ts';
import type { Logger } from '../shared/logger.ts';

/** Milliseconds between two looks for streams of dead processes that nobody reads. */
const LOOK_MS = 2_000;

export interface OrphanKeeperOptions {
  readonly processes: Pick<Processes, 'orphans' | 'forget'>;
  /** Adopts the stream of a dead process, or closes it. */
  readonly settle: (streamId: string) => Promise<unknown>;
  readonly logger: Logger;
}

/** Finds the streams of dead processes, also those that nobody reads, so that they are continued or closed. */
export class OrphanKeeper {
  readonly #options: OrphanKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(options: OrphanKeeperOptions) {
    this.#options = options;
  }

  /** Looks once now, and then every two seconds. */
  start(): void {
    void this.#look();
    this.#timer = setInterval(() => void this.#look(), LOOK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const { processes, settle, logger } = this.#options;
    try {
      for (const orphans of await processes.orphans()) {
        for (const streamId of orphans.streamIds) await settle(streamId);
        await processes.forget(orphans);
      }
    } catch (err) {
      logger.warn({ err }, 'could not look for streams of dead processes');
    } finally {
      this.#isLooking = false;
    }
  }
}
