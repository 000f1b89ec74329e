import type { Frame, Offset, StoreError, StreamEnd, StreamInit } from '../types.ts';
import { FRAME_BYTES, NO_BYTES, partOf, type OffsetArithmetic } from './frames.ts';

/**
 * Limits of the newest frames that a tail keeps for its readers. Readers that are further behind fetch from the store.
 */
export interface WindowLimits {
  readonly frames: number;
  readonly bytes: number;
}

/**
 * Limits of stores that are reached over a network. An append fits as a whole, so that readers at the tail never have to
 * fetch.
 */
export const NETWORK_WINDOW: WindowLimits = { frames: 512, bytes: 1_048_576 };

/** Notified when the tail changes. */
export interface TailReader {
  wake(): void;
}

export interface LiveTailOptions {
  /** Offset just past the last byte of the stream. */
  readonly offset: Offset;
  /** Set if the stream is closed. */
  readonly end?: StreamEnd | undefined;
  readonly metadata: StreamInit['metadata'];
  readonly offsets: OffsetArithmetic;
  readonly limits: WindowLimits;
  /** Called when the last reader has disconnected, and when the tail can no longer change. */
  readonly onIdle: () => void;
}

/** The bytes and the end that a write added to a stream. */
export interface Addition {
  readonly bytes: Uint8Array;
  /** Offset after the bytes. */
  readonly next: Offset;
  /** Set if the write closed the stream. */
  readonly end?: StreamEnd | undefined;
  /** True if no readable bytes follow at present. Default true. */
  readonly upToDate?: boolean;
  /** Number of the commit that wrote the bytes, if the store cannot read recent commits yet (see `trim`). Default 0. */
  readonly commit?: number;
}

interface Slot {
  readonly from: Offset;
  readonly frame: Frame;
  readonly commit: number;
}

/**
 * The end of one stream, for the readers in this process: the newest frames, which all readers share, and the stream's
 * end, failure and metadata. A store pushes each write once it is durable. A reader is an offset (see `TailFollower`),
 * so a slow reader uses no memory.
 */
export class LiveTail {
  readonly #options: LiveTailOptions;
  readonly #readers = new Set<TailReader>();
  /** The newest frames without gaps, the oldest first. The last one ends at `#offset`. */
  #slots: Slot[] = [];
  #bytes = 0;
  /** Number of slots at the last `age`. */
  #aged = 0;
  #offset: Offset;
  #metadata: StreamInit['metadata'];
  #end: StreamEnd | undefined;
  #endFrame: Frame | undefined;
  #failure: StoreError | undefined;

  constructor(options: LiveTailOptions) {
    this.#options = options;
    this.#offset = options.offset;
    this.#metadata = options.metadata;
    this.#end = options.end;
  }

  /** Offset just past the last byte. */
  get offset(): Offset {
    return this.#offset;
  }

  get metadata(): StreamInit['metadata'] {
    return this.#metadata;
  }

  /** Why the stream can no longer be read: it was deleted, or the store failed. */
  get failure(): StoreError | undefined {
    return this.#failure;
  }

  /** True as long as the tail can change. */
  get isLive(): boolean {
    return this.#end === undefined && this.#failure === undefined;
  }

  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  /** True if the tail has neither readers nor frames. */
  get isUnused(): boolean {
    return this.#readers.size === 0 && this.#slots.length === 0;
  }

  get offsets(): OffsetArithmetic {
    return this.#options.offsets;
  }

  add(reader: TailReader): void {
    this.#readers.add(reader);
  }

  /** Removes a reader. Idempotent. */
  remove(reader: TailReader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    this.#options.onIdle();
  }

  /** Appends a write. The bytes must not change afterwards. Call `wake` when readers may see it. */
  push({ bytes, next, end, upToDate = true, commit = 0 }: Addition): void {
    const from = this.#offset;
    for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
      const stop = Math.min(at + FRAME_BYTES, bytes.length);
      const isLast = stop === bytes.length;
      const frame: Frame = {
        bytes: bytes.subarray(at, stop),
        next: isLast ? next : this.offsets.after(from, stop),
        upToDate: isLast && upToDate,
        ...(isLast && end && { end }),
      };
      this.#slots.push({ from: this.#offset, frame, commit });
      this.#bytes += frame.bytes.length;
      this.#offset = frame.next;
    }
    this.#move(next, end);
  }

  /** Moves the tail to an offset without the bytes before it: readers fetch them from the store. */
  jump(next: Offset, end?: StreamEnd): void {
    this.#drop(this.#slots.length);
    this.#move(next, end);
  }

  /** Replaces the metadata. Call `wake` afterwards. */
  annotate(metadata: StreamInit['metadata']): void {
    this.#metadata = metadata;
  }

  /** Ends all reads. Only the first failure is kept. */
  fail(failure: StoreError): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#drop(this.#slots.length);
    this.wake();
    this.#options.onIdle();
  }

  /** Notifies the readers. */
  wake(): void {
    for (const reader of this.#readers) reader.wake();
  }

  /**
   * Returns the frame at an offset, `undefined` if there is none yet, or `'fetch'` if it has to be read from the store.
   *
   * @param maxBytes size of a frame. A larger one is cut.
   */
  frameAt(offset: Offset, maxBytes: number): Frame | 'fetch' | undefined {
    if (offset >= this.#offset) {
      if (!this.#end) return undefined;
      return offset === this.#offset ? this.#frameOfEnd(this.#end) : 'fetch';
    }
    const slot = this.#slots[this.#indexAt(offset)];
    if (!slot) return 'fetch';
    const { from, frame } = slot;
    const { offsets } = this.#options;
    const skip = from === offset ? 0 : offsets.between(from, offset);
    if (skip === undefined || skip >= frame.bytes.length) return 'fetch';
    return partOf(frame, from, { skip, maxBytes, offsets });
  }

  /** Returns at most `maxBytes` from an offset that the window contains. */
  bytesAt(offset: Offset, maxBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let left = maxBytes;
    for (let i = this.#indexAt(offset); i >= 0 && i < this.#slots.length && left > 0; i += 1) {
      const { from, frame } = this.#slots[i] as Slot;
      const skip = parts.length > 0 || from === offset ? 0 : (this.offsets.between(from, offset) ?? 0);
      const part = frame.bytes.subarray(skip, skip + left);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  /** Returns the first offset that the store cannot read yet, or `undefined` if it can read everything. */
  unreadableFrom(readable: number): Offset | undefined {
    let from: Offset | undefined;
    for (let i = this.#slots.length - 1; i >= 0; i -= 1) {
      const slot = this.#slots[i] as Slot;
      if (slot.commit <= readable) break;
      from = slot.from;
    }
    return from;
  }

  /**
   * Drops the oldest frames above the limits, or all frames if there are no readers.
   *
   * @param readable last commit that the store can read. Frames of later ones are kept.
   */
  trim(readable = Number.POSITIVE_INFINITY): void {
    const { frames, bytes } = this.hasReaders ? this.#options.limits : { frames: 0, bytes: 0 };
    let count = 0;
    let left = this.#bytes;
    for (const { commit, frame } of this.#slots) {
      if (commit > readable || (this.#slots.length - count <= frames && left <= bytes)) break;
      left -= frame.bytes.length;
      count += 1;
    }
    this.#drop(count);
  }

  /** Drops frames that already existed at the last call: a reader that has not taken them by now is slow. */
  age(): void {
    this.#drop(this.#aged);
    this.#aged = this.#slots.length;
  }

  #move(next: Offset, end: StreamEnd | undefined): void {
    this.#offset = next;
    this.#end = end;
    if (end) this.#options.onIdle();
  }

  /** The frame that reports the end to readers that have all bytes. They share it. */
  #frameOfEnd(end: StreamEnd): Frame {
    return (this.#endFrame ??= { bytes: NO_BYTES, next: this.#offset, upToDate: true, end });
  }

  /** Returns the index of the last slot that does not begin after an offset, or -1. */
  #indexAt(offset: Offset): number {
    let low = -1;
    let high = this.#slots.length - 1;
    // Readers are usually at the newest frame.
    if (high >= 0 && (this.#slots[high] as Slot).from <= offset) return high;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#slots[middle] as Slot).from <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #drop(count: number): void {
    if (count === 0) return;
    for (const { frame } of this.#slots.splice(0, count)) this.#bytes -= frame.bytes.length;
    this.#aged = Math.max(0, this.#aged - count);
  }
}
