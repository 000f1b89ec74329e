import type { Disk } from './disk.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { encodeNumber, JOURNALLED_KEY } from './keys.ts';
import { collect, type Operation, type Writes } from './operations.ts';
import { addNeed, NO_NEED, type Need } from './disk-space.ts';
import { StoreError } from '../types.ts';

/** Maximum milliseconds that a commit waits to be applied to LMDB together with later ones. */
const FLUSH_MS = 200;
/** Pending bytes that trigger an immediate flush to LMDB. */
const EAGER_BYTES = 1_572_864;
/** Pending bytes above which commits wait for that flush. */
const MAX_BYTES = 67_108_864;

/** Entries that are already committed to the journal may use the reserved space. */
const IS_URGENT = true;
/** Milliseconds before a failed flush to LMDB is tried again. */
const RETRY_MS = 1000;

/** A log of commits, which are numbered from 1. */
export interface CommitLog {
  /** Number of the last durable commit: only a failure that `durability` permits can lose it. */
  readonly committed: number;
  /** Number of the last commit that can be read from disk. */
  readonly readable: number;
  /** Runs `write`, and commits its operations atomically. */
  commit(write: (to: Writes) => void): Promise<void>;
  /** Resolves when everything that is committed so far can be read. Rejects if that failed. */
  settled(): Promise<void>;
  /** Waits for pending work, and releases all resources. */
  close(): Promise<void>;
}

/** When a commit counts as durable: once it is in the journal's file, or once that is flushed. */
export type Durability = 'disk' | 'process';

/**
 * Commits to a journal. LMDB applies the journal's commits a little later, in batches, flushed. With durability
 * `process`, a commit is one write, and a power failure loses only the last moments. With `disk`, it is that write and
 * one flush; LMDB's own commit is a dozen writes and two flushes.
 */
export class WriteBehind implements CommitLog {
  readonly #disk: Disk;
  readonly #journal: Journal;
  readonly #durability: Durability;
  #committed: number;
  #readable: number;
  #waiting = new LastOperations();
  /** Bytes of all pending commits, including operations that later ones replaced. */
  #waitingBytes = 0;
  /** Space needed by the pending operations and by those that LMDB is applying. */
  #need: Need = NO_NEED;
  #flushing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #broken: StoreError | undefined;

  private constructor(disk: Disk, journal: Journal, durability: Durability) {
    const committed = disk.journalled();
    this.#disk = disk;
    this.#journal = journal;
    this.#durability = durability;
    this.#committed = committed;
    this.#readable = committed;
  }

  /** Applies the journal of a dead process to LMDB, whatever its durability was. */
  static async open(disk: Disk, dataDir: string, durability: Durability): Promise<WriteBehind> {
    const journal = new Journal(dataDir);
    try {
      const left = new LastOperations();
      for (const entry of journal.entries(disk.journalled())) left.add(entry);
      if (!left.isEmpty) await disk.commit((to) => left.write(to), IS_URGENT);
      journal.begin();
      return new WriteBehind(disk, journal, durability);
    } catch (error) {
      journal.close(false);
      throw error;
    }
  }

  get committed(): number {
    return this.#committed;
  }

  get readable(): number {
    return this.#readable;
  }

  async commit(write: (to: Writes) => void): Promise<void> {
    if (this.#broken) throw this.#broken;
    if (this.#waitingBytes > MAX_BYTES) await this.settled();
    const operations = collect(write);
    if (operations.length === 0) return;
    // Every durable commit must fit into LMDB.
    let need = addNeed(this.#need, this.#waiting.newOf(operations));
    const reserved = this.#disk.reserve(need);
    if (reserved) {
      await reserved.catch(() => this.#reserveNext(operations));
      need = addNeed(this.#need, this.#waiting.newOf(operations));
    }
    const entry = { number: this.#committed + 1, operations };
    this.#journal.append(entry);
    // Started before LMDB applies the batch, because the next commit may go to the other file.
    const flushed = this.#durability === 'disk' ? this.#journal.flush() : undefined;
    this.#need = need;
    this.#waiting.add(entry);
    for (const { key, value } of operations) this.#waitingBytes += key.length + (value?.length ?? 0);
    this.#arm();
    if (this.#waitingBytes > EAGER_BYTES) this.#flush().catch(() => undefined);
    if (flushed) await flushed.catch((cause: unknown) => this.#break(cause));
    this.#committed += 1;
  }

  /**
   * Marks the store as failed. After a failed flush, it is unknown which parts of the file are on disk, and a second
   * flush may wrongly succeed.
   */
  #break(cause: unknown): never {
    this.#broken = new StoreError('UNAVAILABLE', 'The store has failed permanently. Restart the process', {
      cause,
    });
    throw this.#broken;
  }

  /** The need of pending operations was a worst-case estimate. Once they are applied, there may be enough space. */
  async #reserveNext(operations: readonly Operation[]): Promise<void> {
    await this.settled();
    await this.#disk.reserve(addNeed(NO_NEED, operations));
  }

  async settled(): Promise<void> {
    const last = this.#committed;
    while (this.#readable < last) await this.#flush();
  }

  /** Applies all pending operations to LMDB. Operations that it rejects stay in the journal for the next opening. */
  async close(): Promise<void> {
    const isDone = await this.settled().then(
      () => true,
      () => false,
    );
    clearTimeout(this.#timer);
    this.#journal.close(isDone);
  }

  #arm(ms = FLUSH_MS): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A failed flush is retried later. Callers that wait for it receive the error.
      this.#flush().catch(() => undefined);
    }, ms).unref();
  }

  #flush(): Promise<void> {
    this.#flushing ??= this.#applyPending().finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  async #applyPending(): Promise<void> {
    if (this.#waiting.isEmpty) return;
    const [taken, bytes] = [this.#waiting, this.#waitingBytes];
    this.#waiting = new LastOperations();
    this.#waitingBytes = 0;
    this.#journal.turn();
    try {
      await this.#disk.commit((to) => taken.write(to), IS_URGENT);
    } catch (error) {
      if (!this.#waiting.isEmpty) taken.add(this.#waiting);
      this.#waiting = taken;
      this.#waitingBytes += bytes;
      this.#arm(RETRY_MS);
      throw error;
    }
    this.#readable = taken.number;
    this.#need = addNeed(NO_NEED, this.#waiting.operations);
    this.#journal.retire();
    if (!this.#waiting.isEmpty) this.#arm();
  }
}

/** The result of consecutive commits: the last operation on each key. */
class LastOperations implements JournalEntry {
  readonly #byKey = new Map<string, Operation>();
  /** Number of the last of the commits. */
  number = 0;

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  get operations(): Operation[] {
    return [...this.#byKey.values()];
  }

  /** Adds operations of a later commit. */
  add({ number, operations }: JournalEntry): void {
    for (const operation of operations) this.#byKey.set(nameOf(operation), operation);
    this.number = number;
  }

  /** Returns the operations whose keys are not in this set. */
  newOf(operations: readonly Operation[]): Operation[] {
    return operations.filter((operation) => !this.#byKey.has(nameOf(operation)));
  }

  write(to: Writes): void {
    for (const { key, value } of this.#byKey.values()) {
      if (value) to.put(key, value);
      else to.remove(key);
    }
    to.put(JOURNALLED_KEY, encodeNumber(this.number));
  }
}

const nameOf = ({ key }: Operation): string => key.toString('latin1');
