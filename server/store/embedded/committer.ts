import { StoreError } from '../types.ts';
import type { CommitLog } from './write-behind.ts';
import type { Writes } from './operations.ts';

/** Something that takes part in commits. */
export interface Participant {
  /** Puts all that it has to write. Must not throw. `committed` or `failed` follows before the next. */
  write(to: Writes): void;
  committed(): void;
  /** May come without `write`. */
  failed(error: StoreError): void;
}

/** How long what nobody waits for may wait for a commit that somebody does wait for. */
const LAZY_MS = 50;

/**
 * Group commit: while one commit is on its way to disk, all that comes is gathered for the next. So a single
 * writer waits for nothing but the disk, and a thousand share its flushes.
 */
export class Committer {
  readonly #log: CommitLog;
  readonly #dataDir: string;
  #due = new Set<Participant>();
  #lazy = new Set<Participant>();
  #commit: Promise<void> | undefined;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: CommitLog, dataDir: string) {
    this.#log = log;
    this.#dataDir = dataDir;
  }

  /** Has it take part in the next commit. */
  add(participant: Participant): void {
    this.#lazy.delete(participant);
    this.#due.add(participant);
    this.#schedule();
  }

  /** Has it take part in the next commit of others, or in one of its own before long. */
  addLazily(participant: Participant): void {
    if (this.#due.has(participant)) return;
    this.#lazy.add(participant);
    this.#arm();
  }

  /** Commits what `write` puts. */
  run(write: (to: Writes) => void): Promise<void> {
    return new Promise((committed, failed) => this.add({ write, committed, failed }));
  }

  /** Resolves when all that was added is committed, or has failed. */
  async flush(): Promise<void> {
    while (this.#commit || this.#due.size + this.#lazy.size > 0) {
      this.#schedule();
      await (this.#commit ?? new Promise((resolve) => setImmediate(resolve)));
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#schedule();
    }, LAZY_MS).unref();
  }

  /** Not at once: what else arrives in this turn of the event loop comes with it. */
  #schedule(): void {
    if (this.#commit || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#begin();
    });
  }

  #begin(): void {
    const batch = [...this.#due, ...this.#lazy];
    if (batch.length === 0) return;
    this.#due = new Set();
    this.#lazy = new Set();
    this.#commit = this.#write(batch).finally(() => {
      this.#commit = undefined;
      if (this.#due.size > 0) this.#begin();
      else if (this.#lazy.size > 0) this.#arm();
    });
  }

  async #write(batch: readonly Participant[]): Promise<void> {
    try {
      await this.#log.commit((to) => {
        for (const participant of batch) participant.write(to);
      });
    } catch (error) {
      const failure = this.#failure(error);
      for (const participant of batch) participant.failed(failure);
      return;
    }
    for (const participant of batch) participant.committed();
  }

  #failure(error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    const reason = error instanceof Error ? error.message : String(error);
    return new StoreError(
      'UNAVAILABLE',
      `Could not write to "${this.#dataDir}" (${reason}): is its disk full, or gone?`,
      { cause: error },
    );
  }
}
