import type { Disk } from './disk.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { encodeNumber, JOURNALLED_KEY } from './keys.ts';
import { collect, type Operation, type Writes } from './operations.ts';
import { addNeed, NO_NEED, type Need } from './room.ts';
import { StoreError } from '../types.ts';

/** How long a commit may wait for others that go to LMDB with it. */
const FLUSH_MS = 200;
/** Bytes that wait for LMDB: from here on it takes them at once; */
const EAGER_BYTES = 1_572_864;
/** from here on, commits wait for it. */
const MAX_BYTES = 67_108_864;

/** What counts already may take the last room that there is. */
const IS_URGENT = true;
/** Until LMDB is asked again after it failed. */
const RETRY_MS = 1000;

/** Where commits go. They are numbered, from 1. */
export interface CommitLog {
  /** The last commit that counts: nothing but what `durability` leaves open can take it back. */
  readonly committed: number;
  /** The last commit that can be read from disk. */
  readonly readable: number;
  /** Runs `write`, and commits what it put and removed as a whole. */
  commit(write: (to: Writes) => void): Promise<void>;
  /** Resolves when all that is committed by now can be read; rejects when that failed. */
  settled(): Promise<void>;
  /** Waits for what can be waited for, and lets go of what is its own. */
  close(): Promise<void>;
}

/** When a commit counts: when it is in the journal's file, or when that is flushed. */
export type Durability = 'disk' | 'process';

/**
 * Commits to a journal, of which LMDB takes over a little later what has gathered, flushed. With
 * `durability: 'process'` a commit is one write, and a power cut costs the last moments and nothing else; with
 * `disk` it is that write and one flush, where LMDB's own commit is a dozen writes and two.
 */
export class WriteBehind implements CommitLog {
  readonly #disk: Disk;
  readonly #journal: Journal;
  readonly #durability: Durability;
  #committed: number;
  #readable: number;
  #waiting = new LastOperations();
  /** Of all commits that wait, also of what later ones replace. */
  #waitingBytes = 0;
  /** Of what waits, and of what LMDB is taking over. */
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

  /** Gives LMDB what the journal of a dead process holds, whatever its durability was. */
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
    // What counts must find its place in LMDB.
    let need = addNeed(this.#need, this.#waiting.newOf(operations));
    const reserved = this.#disk.reserve(need);
    if (reserved) {
      await reserved.catch(() => this.#reserveNext(operations));
      need = addNeed(this.#need, this.#waiting.newOf(operations));
    }
    const entry = { number: this.#committed + 1, operations };
    this.#journal.append(entry);
    // Begun before LMDB takes over: the next commit may go to the other file.
    const flushed = this.#durability === 'disk' ? this.#journal.flush() : undefined;
    this.#need = need;
    this.#waiting.add(entry);
    for (const { key, value } of operations) this.#waitingBytes += key.length + (value?.length ?? 0);
    this.#arm();
    if (this.#waitingBytes > EAGER_BYTES) this.#flush().catch(() => undefined);
    if (flushed) await flushed.catch((cause: unknown) => this.#break(cause));
    this.#committed += 1;
  }

  /** After a failed flush nobody knows what of the file is on disk, and a second one may say that all is well. */
  #break(cause: unknown): never {
    this.#broken = new StoreError('UNAVAILABLE', 'The store failed for good; it needs a restart', { cause });
    throw this.#broken;
  }

  /** What waits has been counted at its worst. Once it is taken over, there may be room after all. */
  async #reserveNext(operations: readonly Operation[]): Promise<void> {
    await this.settled();
    await this.#disk.reserve(addNeed(NO_NEED, operations));
  }

  async settled(): Promise<void> {
    const last = this.#committed;
    while (this.#readable < last) await this.#flush();
  }

  /** Gives LMDB all that waits. What it does not take stays in the journal, for the next opening. */
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
      // Tried again later; whoever waits for it is told.
      this.#flush().catch(() => undefined);
    }, ms).unref();
  }

  #flush(): Promise<void> {
    this.#flushing ??= this.#takeOver().finally(() => (this.#flushing = undefined));
    return this.#flushing;
  }

  async #takeOver(): Promise<void> {
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

/** What a run of commits comes to: the last operation on each key. */
class LastOperations implements JournalEntry {
  readonly #byKey = new Map<string, Operation>();
  /** Of the last of the commits. */
  number = 0;

  get isEmpty(): boolean {
    return this.#byKey.size === 0;
  }

  get operations(): Operation[] {
    return [...this.#byKey.values()];
  }

  /** Adds what came later. */
  add({ number, operations }: JournalEntry): void {
    for (const operation of operations) this.#byKey.set(nameOf(operation), operation);
    this.number = number;
  }

  /** Those of some operations whose keys are not among them. */
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
