import { mkdir } from 'node:fs/promises';
import { formatOffset, parseOffset } from '../shared/byte-offsets.ts';
import { notFound } from '../shared/errors.ts';
import { FRAME_BYTES } from '../shared/frames.ts';
import { isStoreError } from '../is-store-error.ts';
import {
  StoreError,
  type Fence,
  type Follower,
  type Frame,
  type Offset,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
  type StreamStore,
} from '../types.ts';
import { Committer } from './committer.ts';
import { SharedCoordination } from './coordination/shared.ts';
import { Disk } from './disk.ts';
import { sidOf, type Sid } from './keys.ts';
import { lockDirectory, type Lock } from './lock.ts';
import { eraseStream } from './record.ts';
import { recover } from './recovery.ts';
import { EmbeddedStream, type StreamHost } from './stream.ts';
import { Sweeper, type SweepHost } from './sweeper.ts';
import { WriteBehind, type CommitLog, type Durability } from './write-behind.ts';

export interface ResolvedOptions {
  readonly dataDir: string;
  readonly durability: Durability;
  readonly sweepIntervalMs: number;
}

/** Milliseconds after which an unused open stream is dropped from memory. It is loaded again when it is used. */
const FORGET_AFTER_MS = 60_000;

const unavailable = (message: string): StoreError => new StoreError('UNAVAILABLE', message);

/** State of an open store. */
interface Opened {
  readonly lock: Lock;
  readonly disk: Disk;
  readonly log: CommitLog;
  readonly committer: Committer;
  readonly sweeper: Sweeper;
  readonly opening: number;
  readonly coordination: SharedCoordination;
}

export class EmbeddedStore implements StreamStore, StreamHost, SweepHost {
  readonly #options: ResolvedOptions;
  /** Streams that are open, have followers, or have pending writes. All others are only on disk. */
  readonly #streams = new Map<string, EmbeddedStream>();
  #opening: Promise<void> | undefined;
  #opened: Opened | undefined;
  #disposing: Promise<void> | undefined;
  #serial = 0;

  constructor(options: ResolvedOptions) {
    this.#options = options;
  }

  open(): Promise<void> {
    if (this.#disposing) return Promise.reject(this.#closedError());
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    const { dataDir, durability, sweepIntervalMs } = this.#options;
    let lock: Lock | undefined;
    let disk: Disk | undefined;
    let log: CommitLog | undefined;
    try {
      await mkdir(dataDir, { recursive: true, mode: 0o700 });
      lock = await lockDirectory(dataDir);
      disk = await Disk.open(dataDir);
      log = await WriteBehind.open(disk, dataDir, durability);
      const { opening, leftOpen } = await recover(disk);
      await disk.prepare();
      const sweeper = new Sweeper(this, sweepIntervalMs);
      const committer = new Committer(log, dataDir);
      const coordination = new SharedCoordination({ disk, log, committer }, leftOpen);
      this.#opened = { lock, disk, log, committer, sweeper, opening, coordination };
    } catch (error) {
      await log?.close();
      await disk?.close();
      await lock?.release();
      if (isStoreError(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StoreError('UNAVAILABLE', `Could not open "${dataDir}": ${reason}`, { cause: error });
    }
  }

  get disk(): Disk {
    return this.#running().disk;
  }

  get log(): CommitLog {
    return this.#running().log;
  }

  get committer(): Committer {
    return this.#running().committer;
  }

  /** @throws StoreError `UNAVAILABLE` if the store does not accept work. */
  get coordination(): SharedCoordination {
    return this.#use().coordination;
  }

  /** Returns the open state, even during disposal. */
  #running(): Opened {
    if (!this.#opened) throw this.#closedError();
    return this.#opened;
  }

  /** @throws StoreError `UNAVAILABLE` if the store does not accept work yet, or no longer. */
  #use(): Opened {
    if (this.#disposing) throw this.#closedError();
    return this.#running();
  }

  #closedError(): StoreError {
    return unavailable(
      this.#disposing ? 'The store was disposed of' : 'The store is not open: call open() and wait for it',
    );
  }

  async create(id: string, init: StreamInit): Promise<boolean> {
    const { opening } = this.#use();
    // `#find` erases an expired stream under this id, in the same commit as the new one or earlier.
    if (this.#find(id)) return false;
    this.#serial += 1;
    this.#streams.set(id, EmbeddedStream.create(this, id, sidOf(opening, this.#serial), init));
    return true;
  }

  annotate(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void> {
    return promised(() => this.#with(id, (stream) => stream.annotate(entries, fence)));
  }

  append(id: string, bytes: Uint8Array, fence?: Fence): Promise<void> {
    return promised(() => this.#with(id, (stream) => stream.append(bytes, fence)));
  }

  close(id: string, end: StreamEnd, last?: Uint8Array, fence?: Fence): Promise<StreamEnd> {
    return promised(() => this.#with(id, (stream) => stream.close(end, last, fence)));
  }

  adopt(id: string, fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence> {
    return promised(() => this.#with(id, (stream) => stream.adopt(fence, entries)));
  }

  async read(id: string, offset: Offset, maxBytes: number): Promise<Frame> {
    return this.#with(id, (stream) => {
      const position = parseOffset(offset, stream.tail);
      stream.touch();
      return stream.read(position, Math.max(1, maxBytes));
    });
  }

  positionOf(offset: Offset): number {
    return parseOffset(offset);
  }

  offsetAt(position: number): Offset {
    return formatOffset(position);
  }

  async follow(
    id: string,
    offset: Offset,
    onReadable: () => void,
    maxBytes = FRAME_BYTES,
  ): Promise<Follower> {
    return this.#with(id, (stream) => {
      const follower = stream.follow(offset, onReadable, maxBytes);
      stream.touch();
      return follower;
    });
  }

  async head(id: string): Promise<StreamInfo | undefined> {
    this.#use();
    const stream = this.#find(id);
    if (!stream) return undefined;
    const { info } = stream;
    this.onIdle(stream);
    return info;
  }

  async delete(id: string): Promise<boolean> {
    this.#use();
    const stream = this.#find(id);
    if (!stream) return false;
    await stream.erase();
    return true;
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#dispose();
    return this.#disposing;
  }

  async #dispose(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const opened = this.#opened;
    if (!opened) return;
    await opened.sweeper.stop();
    await opened.committer.flush();
    for (const stream of this.#streams.values()) stream.abandon(this.#closedError());
    this.#streams.clear();
    await opened.log.close();
    await opened.disk.close();
    await opened.lock.release();
  }

  #with<T>(id: string, use: (stream: EmbeddedStream) => T): T {
    this.#use();
    const stream = this.#find(id);
    if (!stream) throw notFound();
    try {
      return use(stream);
    } finally {
      this.onIdle(stream);
    }
  }

  /** Returns the stream under an id, if it is usable. */
  #find(id: string): EmbeddedStream | undefined {
    const stream = this.#streams.get(id) ?? this.#load(id);
    if (!stream || stream.gone) return undefined;
    if (stream.deadline > Date.now()) return stream;
    stream.erase().catch(() => undefined);
    return undefined;
  }

  /** Loads a stream from disk unless it is in memory. */
  #load(id: string): EmbeddedStream | undefined {
    if (this.#streams.has(id)) return undefined;
    const { disk } = this;
    const record = disk.record(id);
    if (!record) return undefined;
    const stream = new EmbeddedStream(this, id, record, record.tail ?? disk.chunksEnd(record.sid));
    this.#streams.set(id, stream);
    return stream;
  }

  isCurrent(stream: EmbeddedStream): boolean {
    return this.#streams.get(stream.id) === stream;
  }

  onIdle(stream: EmbeddedStream): void {
    if (!stream.isReadable || stream.hasFollowers || !this.isCurrent(stream)) return;
    const isOpen = !stream.end && !stream.gone;
    if (isOpen && stream.usedAt > Date.now() - FORGET_AFTER_MS) return;
    this.#streams.delete(stream.id);
  }

  /** Expires streams in memory, drops idle ones, and retries failed writes. */
  tidy(now: number): void {
    this.#running().coordination.table.tidy();
    for (const stream of this.#streams.values()) {
      stream.trim();
      if (!stream.gone && stream.deadline <= now) stream.erase().catch(() => undefined);
      else if (stream.isDirty) this.committer.addLazily(stream);
      else this.onIdle(stream);
    }
  }

  sweepRows(): Promise<boolean> {
    return this.#running().coordination.table.sweep();
  }

  expire(id: string, sid: Sid, expiresAt: number): Promise<void> | undefined {
    const stream = this.#streams.get(id) ?? this.#load(id);
    if (stream?.sid !== sid) {
      if (stream) this.onIdle(stream);
      return this.committer.run((to) => eraseStream(to, sid, id, expiresAt));
    }
    if (!stream.gone && stream.deadline <= Date.now()) return stream.erase();
    this.onIdle(stream);
    return undefined;
  }
}

/** Turns an exception into a rejection. An async function around a promise would add three microtasks. */
function promised<T>(run: () => Promise<T>): Promise<T> {
  try {
    return run();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}
