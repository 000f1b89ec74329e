import type { RootDatabase } from 'lmdb';
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { StoreError } from '../types.ts';
import {
  chunkKey,
  chunkOffset,
  chunksOf,
  JOURNALLED_KEY,
  META_KEY,
  recordKey,
  type KeyRange,
  type Sid,
} from './keys.ts';
import { collect, type Operation, type Writes } from './operations.ts';
import { decodeRecord, type StreamRecord } from './record.ts';
import { loadLmdb } from './load-lmdb.ts';
import { addNeed, NO_NEED, DiskSpace, type Need, type Usage } from './disk-space.ts';

interface Meta {
  /** Version of the layout in `keys.ts`. */
  readonly format: number;
  /** Number of times that the directory was opened. Stream numbers begin with it, so none is assigned twice. */
  readonly epoch: number;
}

const FORMAT = 1;

/**
 * Maximum number of free pages that LMDB searches for space. It keeps them in a sorted list, which it shifts with every
 * page. With LMDB's own limit (50,000), a commit that removes a few hundred chunks takes 50 ms of CPU once a sweep has
 * freed many pages; with this one, 3 ms. Files do not grow because of it: as these pages are used, others are loaded.
 */
const FREE_PAGES = 5000;

/**
 * Address space reserved for LMDB's file. It uses neither memory nor disk. Whenever a file outgrows it, the library
 * maps the file again at twice the size, and keeps the old maps with all their pages.
 */
const MAP_BYTES = 64 * 2 ** 30;

/** Number of commits for which space is preallocated after a commit of large values: two may wait for a third. */
const COMMITS_AHEAD = 3;

/** The database of a store. Everything that is read is a copy; a commit is flushed when it resolves. */
export class Disk {
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #space: DiskSpace;
  #busy: Promise<void> = Promise.resolve();
  #broken: StoreError | undefined;
  /** LMDB's statistics of its file, cached until the next commit: reading them costs more than a small commit. */
  #known: Usage | undefined;
  #closing: Promise<void> | undefined;

  private constructor(db: RootDatabase<Buffer, Buffer>, path: string) {
    this.#db = db;
    this.#space = new DiskSpace(path, () => this.#usage());
  }

  /** @throws Error if the directory contains other files, cannot be read or written, or LMDB cannot be loaded. */
  static async open(dataDir: string): Promise<Disk> {
    const { open } = await loadLmdb();
    const path = join(dataDir, 'streams.mdb');
    if (existsSync(path)) assertDatabase(path);
    const options = {
      path,
      noSubdir: true,
      keyEncoding: 'binary' as const,
      encoding: 'binary' as const,
      // Flushes with the commit: one promise for both, and half the writes.
      overlappingSync: false,
      // The committer groups commits. LMDB's own grouping leaves a rejection unhandled on failure.
      eventTurnBatching: false,
      mapSize: MAP_BYTES,
      // Missing in the library's types.
      permissionsMode: 0o600,
      maxFreeSpaceToLoad: FREE_PAGES,
      maxFreeSpaceToRetain: FREE_PAGES * 2,
    };
    return new Disk(open<Buffer, Buffer>(options), path);
  }

  /** @param isUrgent true if the commit may use the disk space that is reserved for urgent commits. */
  commit(write: (to: Writes) => void, isUrgent = false): Promise<void> {
    return this.#exclusive(async () => {
      if (this.#broken) throw this.#broken;
      const operations = collect(write);
      const need = addNeed(NO_NEED, operations);
      if (!this.#space.has(need, isUrgent)) await this.#space.fill(need, isUrgent);
      await this.#batch(operations);
      this.#keepAhead(need);
    });
  }

  /**
   * Preallocates as much space again ahead of time. An append that had to wait for preallocation would also wait for
   * the commit in progress.
   */
  #keepAhead({ adjoining }: Need): void {
    if (adjoining === 0) return;
    // No commit needs the space yet. If the disk is full, the commits that need it fail.
    this.reserve({ ...NO_NEED, adjoining: adjoining * COMMITS_AHEAD })?.catch(() => undefined);
  }

  /** Preallocates space for the first commits. Ignores a full disk: the first commit reports it. */
  prepare(): Promise<void> {
    return this.#exclusive(async () => {
      await this.#space.fill(NO_NEED).catch(() => undefined);
      await this.#space.flush();
    });
  }

  /**
   * Returns undefined if there is enough space. Otherwise returns a promise that resolves once it is allocated, and
   * rejects if the disk is full.
   */
  reserve(need: Need): Promise<void> | undefined {
    return this.#space.has(need) ? undefined : this.#exclusive(() => this.#space.fill(need));
  }

  /** Runs one operation at a time. */
  #exclusive(run: () => Promise<void>): Promise<void> {
    const result = this.#busy.then(run);
    this.#busy = result.catch(() => undefined);
    return result;
  }

  async #batch(operations: readonly Operation[]): Promise<void> {
    try {
      await this.#db.batch(() => {
        for (const { key, value } of operations) {
          if (value) void this.#db.put(key, value);
          else void this.#db.remove(key);
        }
      });
    } catch (error) {
      // The cause is in a promise of its own, which rejects even without a handler.
      const reason = (error as { commitError?: Promise<never> }).commitError;
      const cause = reason ? await reason.catch((why: unknown) => why) : error;
      this.#probe();
      throw cause;
    } finally {
      this.#known = undefined;
    }
  }

  /**
   * After some failures (of the very last write of a commit), LMDB begins no other transaction, and a commit would
   * never settle. A synchronous transaction reports the failure.
   */
  #probe(): void {
    try {
      this.#db.transactionSync(() => undefined);
    } catch (cause) {
      this.#broken = new StoreError('UNAVAILABLE', 'The store has failed permanently. Restart the process', {
        cause,
      });
    }
  }

  /** Returns the number of the last commit that came from a journal. */
  journalled(): number {
    return this.#db.get(JOURNALLED_KEY)?.readDoubleBE() ?? 0;
  }

  /** Returns the number of times that the database was opened. */
  opening(): number {
    const value = this.#db.get(META_KEY);
    if (!value) return 0;
    const meta = JSON.parse(value.toString()) as Meta;
    if (meta.format !== FORMAT) {
      throw new StoreError(
        'UNAVAILABLE',
        `The data has format ${meta.format}, and this release of durable-proxy reads ${FORMAT}. Start the release that ` +
          'wrote it, or use another dataDir',
      );
    }
    return meta.epoch;
  }

  /** Stores the value that the next `opening()` returns. */
  putOpening(to: Writes, opening: number): void {
    to.put(META_KEY, Buffer.from(JSON.stringify({ format: FORMAT, epoch: opening } satisfies Meta)));
  }

  record(id: string): StreamRecord | undefined {
    const value = this.value(recordKey(id));
    return value && decodeRecord(value);
  }

  value(key: Buffer): Buffer | undefined {
    return this.#db.get(key);
  }

  /** Returns at most `limit` keys of a range, with their values as text. */
  entries(range: KeyRange, limit: number): { key: Buffer; value: string }[] {
    const entries: { key: Buffer; value: string }[] = [];
    for (const { key, value } of this.#db.getRange({ ...range, limit })) {
      entries.push({ key: Buffer.from(key), value: value.toString() });
    }
    return entries;
  }

  keys(range: KeyRange, limit: number): Buffer[] {
    const keys: Buffer[] = [];
    for (const key of this.#db.getKeys({ ...range, limit })) keys.push(Buffer.from(key));
    return keys;
  }

  /** Returns the offset after a stream's last chunk. */
  chunksEnd(sid: Sid): number {
    const last = this.#lastChunk(chunksOf(sid));
    return last === undefined ? 0 : last + (this.#db.getBinaryFast(chunkKey(sid, last))?.length ?? 0);
  }

  /**
   * Returns the bytes of a stream from `from` up to `to`, which must exist. May stop earlier, at the end of a chunk,
   * once at least half is read, so that the next read begins with a chunk and does not have to search for one.
   */
  read(sid: Sid, from: number, to: number): Buffer {
    const target = Buffer.allocUnsafe(to - from);
    let start = from;
    let chunk = this.#db.getBinaryFast(chunkKey(sid, from));
    if (!chunk) {
      start = this.#lastChunk({ start: chunkKey(sid, 0), end: chunkKey(sid, from) }) ?? from;
      chunk = this.#db.getBinaryFast(chunkKey(sid, start));
    }
    let filled = 0;
    while (chunk) {
      // `length` is that of the value. The underlying buffer is LMDB's own, and larger.
      const end = start + chunk.length;
      const until = Math.min(end, to);
      target.set(chunk.subarray(from + filled - start, until - start), filled);
      filled = until - from;
      if (until === to || filled * 2 >= target.length) return target.subarray(0, filled);
      start = end;
      chunk = this.#db.getBinaryFast(chunkKey(sid, start));
    }
    throw new StoreError(
      'UNAVAILABLE',
      `Bytes are missing after ${from + filled} of a stream: the data is damaged`,
    );
  }

  /** Returns the offset at which the last chunk of a range begins. The range includes its end. */
  #lastChunk({ start, end }: KeyRange): number | undefined {
    const backwards = { start: end, end: start, inclusiveEnd: true, reverse: true, limit: 1 };
    for (const key of this.#db.getKeys(backwards)) return chunkOffset(Buffer.from(key));
    return undefined;
  }

  #usage(): Usage {
    this.#known ??= this.#askUsage();
    return this.#known;
  }

  #askUsage(): Usage {
    const { pageSize, lastPageNumber, root, free } = this.#db.getStats() as Stats;
    const used = pagesOf(root) + pagesOf(free) + META_PAGES;
    return { pageBytes: pageSize, pages: lastPageNumber + 1, free: lastPageNumber + 1 - used };
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#busy.then(() => {
      this.#space.close();
      return this.#db.close();
    });
    return this.#closing;
  }
}

/** First bytes of an LMDB database. */
const MAGIC = { at: 24, number: 0xbeef_c0de };
const SMALLEST_BYTES = 8192;

/** LMDB ends the process if it opens any other file as a database. */
function assertDatabase(path: string): void {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    const head = Buffer.alloc(MAGIC.at + 4);
    readSync(fd, head, 0, head.length, 0);
    if (size === 0 || (size >= SMALLEST_BYTES && head.readUInt32LE(MAGIC.at) === MAGIC.number)) return;
  } finally {
    closeSync(fd);
  }
  throw new Error('its streams.mdb is not an LMDB database');
}

interface TreeStats {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

/** Result of `getStats`, which the library does not type. */
interface Stats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly root: TreeStats;
  readonly free: TreeStats;
}

const META_PAGES = 2;

const pagesOf = (tree: TreeStats): number =>
  tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;
