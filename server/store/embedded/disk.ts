import { open, type RootDatabase } from 'lmdb';
import { join } from 'node:path';
import { StoreError } from '../types.ts';
import { chunkKey, chunkOffset, chunksOf, META_KEY, recordKey, type KeyRange, type Sid } from './keys.ts';
import { decodeRecord, type StreamRecord } from './record.ts';

export type Durability = 'disk' | 'process';

interface Meta {
  /** Of the layout in `keys.ts`. */
  readonly format: number;
  /** Counts openings: numbers of streams begin with it, so none is given twice. */
  readonly epoch: number;
}

const FORMAT = 1;

/** LMDB, as far as the store knows it: everything that is read is a copy, everything that is written a batch. */
export class Disk {
  readonly #db: RootDatabase<Buffer, Buffer>;

  /** @throws Error when the directory holds something else, or cannot be read or written. */
  constructor(dataDir: string, durability: Durability) {
    const options = {
      path: join(dataDir, 'streams.mdb'),
      noSubdir: true,
      keyEncoding: 'binary' as const,
      encoding: 'binary' as const,
      // A commit's promise is to mean that it is flushed, in one step.
      overlappingSync: durability === 'process',
      // Commits are gathered by the committer. LMDB's own gathering leaves a rejection unhandled on failure.
      eventTurnBatching: false,
      // Not in the types of the library.
      permissionsMode: 0o600,
      ...(process.env['FL'] && { maxFreeSpaceToLoad: Number(process.env['FL']), maxFreeSpaceToRetain: Number(process.env['FR'] ?? process.env['FL']) }),
    };
    this.#db = open<Buffer, Buffer>(options);
  }

  /** Runs `write` and commits what it put and removed, as a whole. Never called before the last has settled. */
  async commit(write: () => void): Promise<void> {
    try {
      await this.#db.batch(write);
    } catch (error) {
      // The reason comes in a promise of its own, which is rejected whether somebody looks or not.
      const reason = (error as { commitError?: Promise<never> }).commitError;
      throw reason ? await reason.catch((cause: unknown) => cause) : error;
    }
  }

  /** Throws when LMDB will not begin another transaction, after a failure that it cannot undo. */
  probe(): void {
    this.#db.transactionSync(() => undefined);
  }

  /** Within `commit` only. `value` must not change until it has settled. */
  put(key: Buffer, value: Buffer): void {
    void this.#db.put(key, value);
  }

  /** Within `commit` only. */
  remove(key: Buffer): void {
    void this.#db.remove(key);
  }

  meta(): Meta | undefined {
    const value = this.#db.get(META_KEY);
    if (!value) return undefined;
    const meta = JSON.parse(value.toString()) as Meta;
    if (meta.format !== FORMAT) {
      throw new StoreError(
        'UNAVAILABLE',
        `The data is of format ${meta.format}; this version reads ${FORMAT}`,
      );
    }
    return meta;
  }

  putMeta(epoch: number): void {
    this.put(META_KEY, Buffer.from(JSON.stringify({ format: FORMAT, epoch } satisfies Meta)));
  }

  record(id: string): StreamRecord | undefined {
    const value = this.#db.get(recordKey(id));
    return value && decodeRecord(value);
  }

  /** At most `limit` keys of a range, with their values as text. */
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

  /** The offset behind a stream's last chunk. */
  chunksEnd(sid: Sid): number {
    const last = this.#lastChunk(chunksOf(sid));
    return last === undefined ? 0 : last + this.#db.getBinaryFast(chunkKey(sid, last))!.length;
  }

  /**
   * Bytes of a stream from `from` up to `to`, which must be there. May stop earlier, at the end of a chunk,
   * once at least half is read: so the next read begins with a chunk and need not look for one.
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
      // `length` is that of the value; the buffer behind it is LMDB's own, and larger.
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
      `Bytes are missing behind ${from + filled} of a stream: the data is damaged`,
    );
  }

  /** Where the last chunk of a range begins; here the range includes its end. */
  #lastChunk({ start, end }: KeyRange): number | undefined {
    const backwards = { start: end, end: start, inclusiveEnd: true, reverse: true, limit: 1 };
    for (const key of this.#db.getKeys(backwards)) return chunkOffset(Buffer.from(key));
    return undefined;
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}
