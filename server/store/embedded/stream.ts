import { BYTE_OFFSETS, formatOffset, parseOffset } from '../shared/byte-offsets.ts';
import { notFound } from '../shared/errors.ts';
import { NO_BYTES } from '../shared/frames.ts';
import { LiveTail, type WindowLimits } from '../shared/live-tail.ts';
import { TailFollower, type FrameSource } from '../shared/tail-follower.ts';
import {
  StoreError,
  type Fence,
  type Follower,
  type Frame,
  type Offset,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
} from '../types.ts';
import { ChunkWriter, type Piece } from './chunks.ts';
import type { Committer, Participant } from './committer.ts';
import type { Disk } from './disk.ts';
import type { CommitLog } from './write-behind.ts';
import type { Writes } from './operations.ts';
import { recordKey, type Sid } from './keys.ts';
import {
  endOf,
  withNotes,
  type Append,
  type Closing,
  type CommitPart,
  type Note,
  type Waiter,
} from './commit-part.ts';
import { deadlineOf, eraseStream, writeRecord, type StreamRecord } from './record.ts';

/** Dependencies of a stream on its store. */
export interface StreamHost {
  readonly disk: Disk;
  readonly log: CommitLog;
  readonly committer: Committer;
  /**
   * Returns false if another stream has been created under the id since. The record then belongs to that stream with
   * this commit.
   */
  isCurrent(stream: EmbeddedStream): boolean;
  /** Called whenever the stream may have become idle. */
  onIdle(stream: EmbeddedStream): void;
}

/** Few frames, because reads from disk are quick and synchronous. */
const LIVE_LIMITS: WindowLimits = { frames: 4, bytes: 32_768 };

const closed = (): StoreError => new StoreError('CLOSED', 'The stream is closed');
const fenced = (): StoreError => new StoreError('FENCED', 'Another process has adopted the stream');

/**
 * A stream in memory: one that is open, has followers, or has pending writes. Callers see only what is committed
 * (`tail`, `end`, frames). Other writes wait for the next commit or are part of the current one.
 */
export class EmbeddedStream implements Participant, FrameSource {
  readonly sid: Sid;
  /** Replaced by `annotate` and `adopt`. */
  init: StreamInit;
  /** Number of times that the stream was adopted. */
  fence: Fence;
  /** Position after the last committed byte. */
  tail: number;
  end: StreamEnd | undefined;
  /** Time at which the stream may expire, in milliseconds since 1970. */
  deadline: number;
  /** Time of the last use, in milliseconds since 1970. */
  usedAt: number;
  /** Reason why the stream can no longer be used. */
  gone: StoreError | undefined;

  readonly #host: StreamHost;
  /** Exists while the stream has followers, or frames that cannot be read from disk yet. */
  #live: LiveTail | undefined;
  #chunks: ChunkWriter | undefined;
  #appends: Append[] = [];
  #notes: Note[] = [];
  #closing: Closing | undefined;
  #erasing: Waiter<void>[] | undefined;
  #committing: CommitPart | undefined;
  /** Expiry on disk: not before the deadline. 0 if there is no record yet. */
  #expiresAt: number;
  /** Number of the last commit that contains a part of the stream. */
  #commit = 0;

  /** @param tail tail of the record, or the end of the last chunk. */
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

  /** Creates a stream that is not on disk yet; the next commit stores it. */
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

  /** True while there is something to write, including writes that are retried after a failure. */
  get isDirty(): boolean {
    if (this.#committing ?? this.#closing ?? this.#erasing) return true;
    return (
      this.#appends.length > 0 || this.#notes.length > 0 || (!this.gone && this.#expiresAt < this.deadline)
    );
  }

  /** True if the disk contains the whole state. */
  get isReadable(): boolean {
    return !this.isDirty && this.#commit <= this.#host.log.readable;
  }

  get hasFollowers(): boolean {
    return this.#live?.hasReaders ?? false;
  }

  /** Restarts the TTL. Rewrites the expiry on disk only if it is too early now. */
  touch(): void {
    this.usedAt = Date.now();
    this.deadline = deadlineOf(this.usedAt, this.init.ttlSeconds);
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

  close(end: StreamEnd, last: Uint8Array = NO_BYTES, fence = this.fence): Promise<StreamEnd> {
    if (this.end) return Promise.resolve(this.end);
    if (fence !== this.fence) return Promise.reject(fenced());
    this.touch();
    return new Promise((resolve, reject) => {
      this.#closing ??= { end, last, waiters: [] };
      this.#closing.waiters.push({ resolve, reject });
      this.#host.committer.add(this);
    });
  }

  /** Raises the fence at once, so that only one of several adopters succeeds. Resolves when the adoption is on disk. */
  async adopt(fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence> {
    if (this.end ?? this.#closing) throw closed();
    if (fence !== this.fence) throw fenced();
    this.fence += 1;
    await this.annotate(entries);
    return fence + 1;
  }

  /** Deletes the stream: at once for all callers, with the next commit from disk. */
  erase(): Promise<void> {
    // Set before the followers end: a stream without followers and pending writes would be dropped.
    const erasing = (this.#erasing ??= []);
    this.abandon(notFound());
    return new Promise((resolve, reject) => {
      erasing.push({ resolve, reject });
      this.#host.committer.add(this);
    });
  }

  /** Ends all use of the stream with this reason. */
  abandon(reason: StoreError): void {
    this.gone ??= reason;
    this.#rejectWaiting(reason);
    this.#live?.fail(this.gone);
  }

  /** Opens a follower. @throws StoreError `INVALID_OFFSET` */
  follow(from: Offset, onReadable: () => void, maxBytes: number): Follower {
    const offset = formatOffset(parseOffset(from, this.tail));
    const { info } = this;
    return new TailFollower({ tail: this.#liveTail(), info, offset, maxBytes, onReadable, source: this });
  }

  /** Reads for a follower that has not reached the live tail. */
  fetch(from: Offset, maxBytes: number): Frame {
    return this.read(parseOffset(from), maxBytes);
  }

  /** Returns the bytes at a position that is not after the tail. */
  read(position: number, maxBytes: number): Frame {
    const bytes = position < this.tail ? this.#bytesAt(position, maxBytes) : NO_BYTES;
    const stop = position + bytes.length;
    const upToDate = stop === this.tail;
    return { bytes, next: formatOffset(stop), upToDate, ...(upToDate && this.end && { end: this.end }) };
  }

  #bytesAt(position: number, maxBytes: number): Uint8Array {
    const { disk, log } = this.#host;
    const unreadable = this.#live?.unreadableFrom(log.readable);
    const readable = unreadable === undefined ? this.tail : parseOffset(unreadable);
    if (position < readable) return disk.read(this.sid, position, Math.min(readable, position + maxBytes));
    return this.#liveTail().bytesAt(formatOffset(position), maxBytes);
  }

  /** Drops frames that neither followers nor reads need. */
  trim(): void {
    this.#live?.trim(this.#host.log.readable);
    if (this.#live?.isUnused) this.#live = undefined;
  }

  #liveTail(): LiveTail {
    const { tail, end, init } = this;
    return (this.#live ??= new LiveTail({
      offset: formatOffset(tail),
      end,
      metadata: init.metadata,
      offsets: BYTE_OFFSETS,
      limits: LIVE_LIMITS,
      onIdle: () => {
        if (this.hasFollowers) return;
        this.trim();
        this.#host.onIdle(this);
      },
    }));
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
      this.#committing = { appends, notes, closing, pieces: [], expiresAt: this.#expiresAt, erases: true };
      return;
    }
    const bytes = appends.map((append) => append.bytes);
    if (closing && closing.last.length > 0) bytes.push(closing.last);
    let pieces: Piece[] = [];
    if (bytes.length > 0) {
      this.#chunks ??= new ChunkWriter(sid, this.tail);
      pieces = this.#chunks.write(to, bytes);
    }
    let expiresAt = this.#expiresAt;
    // Most commits only append, which does not change the record.
    if (notes.length > 0 || closing || this.deadline > expiresAt) {
      const init = withNotes(this.init, notes);
      const end = closing?.end ?? this.end;
      const tail = endOf(pieces, this.tail);
      expiresAt = writeRecord(to, this, { init, end, tail, expiresAt, isClosing: !!closing });
    }
    this.#committing = { appends, notes, closing, pieces, expiresAt, erases: false };
  }

  committed(): void {
    if (!this.#committing) return;
    const { appends, notes, closing, pieces, expiresAt, erases } = this.#committing;
    this.#committing = undefined;
    this.#expiresAt = expiresAt;
    this.#commit = this.#host.log.committed;
    if (erases) {
      for (const waiter of this.#erasing ?? []) waiter.resolve();
      this.#erasing = undefined;
    } else {
      // Created before the tail moves, because the frames are added after it.
      const isKept = this.hasFollowers || this.#commit > this.#host.log.readable;
      this.#live = isKept && !this.gone ? this.#liveTail() : undefined;
      this.#chunks?.commit();
      this.init = withNotes(this.init, notes);
      this.tail = endOf(pieces, this.tail);
      if (closing) {
        this.end = closing.end;
        this.#closing = undefined;
        this.#chunks = undefined;
      }
    }
    if (this.gone) {
      for (const waiter of [...appends, ...notes, ...(closing?.waiters ?? [])]) waiter.reject(this.gone);
    } else {
      this.#addToLive(pieces, notes.length > 0);
      for (const waiter of [...appends, ...notes]) waiter.resolve();
      if (closing) for (const waiter of closing.waiters) waiter.resolve(closing.end);
      if (pieces.length > 0 || notes.length > 0 || closing) this.#live?.wake();
    }
    this.#host.onIdle(this);
  }

  #addToLive(pieces: readonly Piece[], isAnnotated: boolean): void {
    const live = this.#live;
    if (!live) return;
    if (isAnnotated) live.annotate(this.init.metadata);
    const last = pieces.at(-1);
    for (const piece of pieces) {
      const { bytes, start } = piece;
      const next = formatOffset(start + bytes.length);
      const upToDate = piece === last;
      live.push({ bytes, next, upToDate, commit: this.#commit, ...(upToDate && { end: this.end }) });
    }
    if (!last && this.end) live.push({ bytes: NO_BYTES, next: live.offset, end: this.end });
    this.trim();
  }

  failed(error: StoreError): void {
    const { appends = [], notes = [] } = this.#committing ?? {};
    this.#committing = undefined;
    this.#chunks?.rollback();
    for (const waiter of [...appends, ...notes]) waiter.reject(this.gone ?? error);
    // Later appends fail too: a log that has lost bytes must not continue after the gap.
    this.#rejectWaiting(this.gone ?? error);
    for (const waiter of this.#erasing?.splice(0) ?? []) waiter.reject(error);
    this.#host.onIdle(this);
  }
}
