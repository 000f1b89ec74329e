import {
  StoreError,
  type Fence,
  type Frame,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
} from '../types.ts';
import { ChunkWriter, type Piece } from './chunks.ts';
import type { Committer, Participant } from './committer.ts';
import type { Disk } from './disk.ts';
import type { CommitLog } from './write-behind.ts';
import type { Writes } from './operations.ts';
import { expiryKey, formatOffset, openKey, recordKey, type Sid } from './keys.ts';
import { LiveFrames, type StreamReader } from './live-frames.ts';
import {
  stopOf,
  withNotes,
  type Append,
  type Closing,
  type Flight,
  type Note,
  type Waiter,
} from './flight.ts';
import { encodeRecord, eraseStream, slackMs, type StreamRecord } from './record.ts';

/** What a stream needs of its store. */
export interface StreamHost {
  readonly disk: Disk;
  readonly log: CommitLog;
  readonly committer: Committer;
  /** False when its id has been taken by another since. Then the record will be the other's with this commit. */
  isCurrent(stream: EmbeddedStream): boolean;
  /** Called whenever it might have become idle. */
  onQuiet(stream: EmbeddedStream): void;
}

const NOTHING = new Uint8Array(0);
const deleted = (): StoreError => new StoreError('NOT_FOUND', 'There is no such stream');
const closed = (): StoreError => new StoreError('CLOSED', 'The stream is closed');
const fenced = (): StoreError => new StoreError('FENCED', 'Another process has adopted the stream');

/**
 * A stream that is in memory: one that is open, has followers, or has something to write. What callers see
 * of it (`tail`, `end`, frames) is what is committed. The rest waits for the next commit, or rides in one.
 */
export class EmbeddedStream implements Participant {
  readonly sid: Sid;
  /** Its metadata change with `annotate` and `adopt`. */
  init: StreamInit;
  /** How often it was adopted. */
  fence: Fence;
  /** The position behind the last byte that is committed. */
  tail: number;
  end: StreamEnd | undefined;
  /** When it may go, in milliseconds since 1970. */
  deadline: number;
  /** When somebody last used it. */
  usedAt: number;
  /** Why nobody can use it any more. */
  gone: StoreError | undefined;

  readonly #host: StreamHost;
  readonly #followers = new Set<StreamReader>();
  readonly #live = new LiveFrames();
  #chunks: ChunkWriter | undefined;
  #appends: Append[] = [];
  #notes: Note[] = [];
  #closing: Closing | undefined;
  #erasing: Waiter<void>[] | undefined;
  #flight: Flight | undefined;
  /** The expiry that is on disk: not before the deadline. 0 when there is no record yet. */
  #expiresAt: number;
  /** The number of the last commit that had something of it. */
  #commit = 0;
  #lastFrame: Frame | undefined;

  /** @param tail of the record, or behind the last chunk. */
  constructor(
    host: StreamHost,
    readonly id: string,
    record: StreamRecord,
    tail: number,
  ) {
    this.#host = host;
    const { sid, contentType, ttlSeconds, metadata, outlivesProcess, end, expiresAt, fence = 0 } = record;
    this.sid = sid;
    this.fence = fence;
    this.init = { contentType, ttlSeconds, metadata, ...(outlivesProcess && { outlivesProcess }) };
    this.end = end;
    this.tail = tail;
    this.deadline = expiresAt;
    this.usedAt = Date.now();
    this.#expiresAt = expiresAt;
  }

  /** A stream that is not on disk yet, and will be with the next commit. */
  static create(host: StreamHost, id: string, sid: Sid, init: StreamInit): EmbeddedStream {
    const metadata = { ...init.metadata };
    const stream = new EmbeddedStream(host, id, { sid, ...init, metadata, expiresAt: 0 }, 0);
    stream.touch();
    return stream;
  }

  get info(): StreamInfo {
    const { init, tail, fence, end } = this;
    return { ...init, tail: formatOffset(tail), fence, ...(end && { end }) };
  }

  /** True while something of it has to be written, be it for the second time after a failure. */
  get isDirty(): boolean {
    if (this.#flight ?? this.#closing ?? this.#erasing) return true;
    return (
      this.#appends.length > 0 || this.#notes.length > 0 || (!this.gone && this.#expiresAt < this.deadline)
    );
  }

  /** True when the disk has all that is known of it. */
  get isReadable(): boolean {
    return !this.isDirty && this.#commit <= this.#host.log.readable;
  }

  get hasFollowers(): boolean {
    return this.#followers.size > 0;
  }

  /** Begins its TTL anew. The expiry on disk is moved only when it is too early now. */
  touch(): void {
    this.usedAt = Date.now();
    this.deadline = this.usedAt + Math.ceil(this.init.ttlSeconds * 1000);
    if (this.deadline > this.#expiresAt) this.#host.committer.addLazily(this);
  }

  append(bytes: Uint8Array, fence = this.fence): Promise<void> {
    if (this.end ?? this.#closing) return Promise.reject(closed());
    if (fence !== this.fence) return Promise.reject(fenced());
    this.touch();
    if (bytes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#appends.push({ bytes, resolve, reject });
      this.#host.committer.add(this);
    });
  }

  annotate(entries: Readonly<Record<string, string>>, fence = this.fence): Promise<void> {
    if (this.end ?? this.#closing) return Promise.resolve();
    if (fence !== this.fence) return Promise.reject(fenced());
    this.touch();
    return new Promise((resolve, reject) => {
      this.#notes.push({ entries, resolve, reject });
      this.#host.committer.add(this);
    });
  }

  close(end: StreamEnd, last: Uint8Array = NOTHING, fence = this.fence): Promise<StreamEnd> {
    if (this.end) return Promise.resolve(this.end);
    if (fence !== this.fence) return Promise.reject(fenced());
    this.touch();
    return new Promise((resolve, reject) => {
      this.#closing ??= { end, last, waiters: [] };
      this.#closing.waiters.push({ resolve, reject });
      this.#host.committer.add(this);
    });
  }

  /** Raises the fence at once, so that of several that adopt one succeeds. Resolves when the disk has it. */
  async adopt(fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence> {
    if (this.end ?? this.#closing) throw closed();
    if (fence !== this.fence) throw fenced();
    this.fence += 1;
    await this.annotate(entries);
    return fence + 1;
  }

  /** Takes it away: at once for all who use it, with the next commit from disk. */
  erase(): Promise<void> {
    this.abandon(deleted());
    return new Promise((resolve, reject) => {
      this.#erasing ??= [];
      this.#erasing.push({ resolve, reject });
      this.#host.committer.add(this);
    });
  }

  /** Ends all use of it, for this reason. */
  abandon(reason: StoreError): void {
    this.gone ??= reason;
    this.#rejectWaiting(reason);
    this.#wake();
  }

  /** The next frame of a follower that is before the tail: one that it shares with others, if there is one. */
  next(position: number, maxBytes: number): { readonly frame: Frame; readonly stop: number } {
    return this.#live.shared(position, maxBytes) ?? this.#read(position, maxBytes);
  }

  /** What there is at a position, as things stand now. */
  read(position: number, maxBytes: number): Frame {
    return position === this.tail ? this.tailFrame : this.#read(position, maxBytes).frame;
  }

  #read(position: number, maxBytes: number): { frame: Frame; stop: number } {
    const { disk, log } = this.#host;
    const unreadable = this.#live.unreadable(log.readable);
    const bytes =
      position < unreadable
        ? disk.read(this.sid, position, Math.min(this.tail, unreadable, position + maxBytes))
        : this.#live.bytes(position, maxBytes);
    const stop = position + bytes.length;
    const upToDate = stop === this.tail;
    const end = upToDate ? this.end : undefined;
    return { frame: { bytes, next: formatOffset(stop), upToDate, ...(end && { end }) }, stop };
  }

  /** What a reader at the tail is given: nothing, and the end when there is one. */
  get tailFrame(): Frame {
    if (!this.end) return { bytes: NOTHING, next: formatOffset(this.tail), upToDate: true };
    // All followers of a stream that is closed without last bytes share it.
    this.#lastFrame ??= { bytes: NOTHING, next: formatOffset(this.tail), upToDate: true, end: this.end };
    return this.#lastFrame;
  }

  addFollower(follower: StreamReader): void {
    this.#followers.add(follower);
  }

  removeFollower(follower: StreamReader): void {
    if (!this.#followers.delete(follower) || this.#followers.size > 0) return;
    this.trim();
    this.#host.onQuiet(this);
  }

  /** Lets go of memory that nobody needs. */
  trim(): void {
    this.#live.trim(this.hasFollowers, this.#host.log.readable);
  }

  #wake(): void {
    for (const follower of this.#followers) follower.wake();
  }

  #rejectWaiting(reason: StoreError): void {
    const waiting = [...this.#appends, ...this.#notes, ...(this.#closing?.waiters ?? [])];
    this.#appends = [];
    this.#notes = [];
    this.#closing = undefined;
    for (const waiter of waiting) waiter.reject(reason);
  }

  write(to: Writes): void {
    const { sid, id } = this;
    const [appends, notes, closing] = [this.#appends, this.#notes, this.#closing];
    this.#appends = [];
    this.#notes = [];
    if (this.gone) {
      if (this.#erasing) {
        if (this.#host.isCurrent(this)) to.remove(recordKey(id));
        eraseStream(to, sid, id, this.#expiresAt);
      }
      this.#flight = { appends, notes, closing, pieces: [], expiresAt: this.#expiresAt, erases: true };
      return;
    }
    const bytes = appends.map((append) => append.bytes);
    if (closing && closing.last.length > 0) bytes.push(closing.last);
    let pieces: Piece[] = [];
    if (bytes.length > 0) {
      this.#chunks ??= new ChunkWriter(sid, this.tail);
      pieces = this.#chunks.write(to, bytes);
    }
    const expiresAt = this.#writeRecord(to, closing?.end, pieces, notes);
    this.#flight = { appends, notes, closing, pieces, expiresAt, erases: false };
  }

  /** Writes what of the record and its indexes has to change, and gives the expiry that is on disk then. */
  #writeRecord(
    to: Writes,
    end: StreamEnd | undefined,
    pieces: readonly Piece[],
    notes: readonly Note[],
  ): number {
    const { sid, id, deadline, fence } = this;
    const init = withNotes(this.init, notes);
    const isNew = this.#expiresAt === 0;
    let expiresAt = this.#expiresAt;
    if (deadline > expiresAt) {
      if (!isNew) to.remove(expiryKey(expiresAt, sid));
      expiresAt = deadline + slackMs(init.ttlSeconds);
      to.put(expiryKey(expiresAt, sid), Buffer.from(id));
    } else if (!end && notes.length === 0) return expiresAt;
    if (isNew && !end && !init.outlivesProcess) to.put(openKey(sid), Buffer.from(id));
    if (!isNew && end) to.remove(openKey(sid));
    const closing = end ?? this.end;
    const record = {
      sid,
      ...init,
      expiresAt,
      ...(fence > 0 && { fence }),
      ...(closing && { end: closing, tail: stopOf(pieces, this.tail) }),
    };
    to.put(recordKey(id), encodeRecord(record));
    return expiresAt;
  }

  committed(): void {
    if (!this.#flight) return;
    const { appends, notes, closing, pieces, expiresAt, erases } = this.#flight;
    this.#flight = undefined;
    this.#expiresAt = expiresAt;
    this.#commit = this.#host.log.committed;
    if (erases) {
      for (const waiter of this.#erasing ?? []) waiter.resolve();
      this.#erasing = undefined;
    } else {
      this.#chunks?.commit();
      this.init = withNotes(this.init, notes);
      this.tail = stopOf(pieces, this.tail);
      if (closing) {
        this.end = closing.end;
        this.#closing = undefined;
        this.#chunks = undefined;
      }
    }
    if (this.gone) {
      for (const waiter of [...appends, ...notes, ...(closing?.waiters ?? [])]) waiter.reject(this.gone);
    } else {
      if (this.hasFollowers || this.#commit > this.#host.log.readable) {
        this.#live.add(pieces, this.end, this.#commit);
        this.trim();
      }
      for (const waiter of [...appends, ...notes]) waiter.resolve();
      if (closing) for (const waiter of closing.waiters) waiter.resolve(closing.end);
      if (pieces.length > 0 || notes.length > 0 || closing) this.#wake();
    }
    this.#host.onQuiet(this);
  }

  failed(error: StoreError): void {
    const { appends = [], notes = [] } = this.#flight ?? {};
    this.#flight = undefined;
    this.#chunks?.rollback();
    for (const waiter of [...appends, ...notes]) waiter.reject(this.gone ?? error);
    // What was asked for later goes with it: a log that has lost bytes must not go on behind them.
    this.#rejectWaiting(this.gone ?? error);
    for (const waiter of this.#erasing?.splice(0) ?? []) waiter.reject(error);
    this.#host.onQuiet(this);
  }
}
