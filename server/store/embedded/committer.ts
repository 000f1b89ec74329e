import { toStoreError } from '../shared/errors.ts';
import type { StoreError } from '../types.ts';
import type { CommitLog } from './write-behind.ts';
import type { Writes } from './operations.ts';

/** A participant in commits. */
export interface Participant {
  /**
   * Adds all pending writes of the participant. Must not throw. `committed` or `failed` is called before the next
   * `write`.
   */
  write(to: Writes): void;
  committed(): void;
  /** May be called without `write`. */
  failed(error: StoreError): void;
}

/** Maximum delay in milliseconds before lazy writes (such as TTL refreshes) get a commit of their own. */
const LAZY_MS = 50;

/**
 * Group commit: while a commit is being flushed to disk, all new writes are gathered for the next one. A single writer
 * waits only for the disk, and a thousand writers share its flushes.
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

  /** Adds a participant to the next commit. */
  add(participant: Participant): void {
    this.#lazy.delete(participant);
    this.#due.add(participant);
    this.#schedule();
  }

  /** Adds a participant to the next commit, or to a commit of its own after a short delay. */
  addLazily(participant: Participant): void {
    if (this.#due.has(participant)) return;
    this.#lazy.add(participant);
    this.#arm();
  }

  /** Commits the operations that `write` adds. */
  run(write: (to: Writes) => void): Promise<void> {
    return new Promise((committed, failed) => this.add({ write, committed, failed }));
  }

  /** Resolves when everything that was added is committed or has failed. */
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

  /** Deferred, so that everything else that arrives in this event-loop turn joins the commit. */
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
    const reason = error instanceof Error ? error.message : String(error);
    return toStoreError(
      error,
      `Could not write to "${this.#dataDir}" (${reason}): check that its disk is mounted and not full`,
    );
  }
}
