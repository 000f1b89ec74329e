import { notifyReader } from '../notify-reader.ts';
import type { Follower, Frame, Offset, StoreError, StreamInfo } from '../types.ts';
import { toStoreError } from './errors.ts';
import { partOf } from './frames.ts';
import type { LiveTail, TailReader } from './live-tail.ts';

/** Reads bytes that a live tail has dropped. */
export interface FrameSource {
  /**
   * Returns the bytes at an offset, which is before the end of the stream. It may return more than `maxBytes`, which
   * the follower then keeps for its next frames. An empty frame without an end means that no bytes can be read yet.
   *
   * @throws StoreError
   */
  fetch(from: Offset, maxBytes: number): Frame | Promise<Frame>;
  /** Releases the resources that the source holds between two fetches of a follower. `fetch` may be called again. */
  release?(): void;
}

export interface TailFollowerOptions {
  readonly tail: LiveTail;
  /** The stream when the follower opened. */
  readonly info: StreamInfo;
  readonly offset: Offset;
  readonly maxBytes: number;
  readonly onReadable: () => void;
  readonly source: FrameSource;
}

/**
 * Reads one stream for one reader: from the live tail if it contains the reader's offset, otherwise from the store.
 * Buffers at most the result of one fetch.
 */
export class TailFollower implements Follower, TailReader {
  readonly info: StreamInfo;
  readonly #tail: LiveTail;
  readonly #source: FrameSource;
  readonly #maxBytes: number;
  readonly #onReadable: () => void;
  #offset: Offset;
  /** Fetched bytes that the reader has not taken yet. */
  #fetched: Frame | undefined;
  #isFetching = false;
  #failure: StoreError | undefined;
  /** The last `next` returned `undefined`, so that `onReadable` has to be called. */
  #isWaiting = false;
  #isDone = false;

  constructor({ tail, info, offset, maxBytes, onReadable, source }: TailFollowerOptions) {
    this.info = info;
    this.#tail = tail;
    this.#source = source;
    this.#maxBytes = Math.max(1, maxBytes);
    this.#onReadable = onReadable;
    this.#offset = offset;
    tail.add(this);
  }

  get metadata(): StreamInfo['metadata'] {
    return this.#tail.metadata;
  }

  /** Fetches the first frame unless the tail contains it, so that `next` returns it at once. @throws StoreError */
  async ready(): Promise<void> {
    while (!this.#fetched && this.#atTail() === 'fetch') {
      if (!this.#keep(await this.#source.fetch(this.#offset, this.#maxBytes))) return;
    }
    if (!this.#fetched) this.#source.release?.();
  }

  next(): Frame | undefined {
    if (this.#isDone) return undefined;
    const failure = this.#tail.failure ?? this.#failure;
    if (failure) throw failure;
    const frame = this.#take();
    this.#isWaiting = frame === undefined;
    if (!frame) return undefined;
    this.#offset = frame.next;
    if (frame.end) this.stop();
    return frame;
  }

  stop(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#isWaiting = false;
    this.#fetched = undefined;
    this.#source.release?.();
    this.#tail.remove(this);
  }

  /** Calls `onReadable`, once for each time that `next` returned `undefined`. */
  wake(): void {
    if (!this.#isWaiting) return;
    if (!this.#tail.failure) {
      // New bytes are no use to a reader that waits for older bytes, or has read further than the tail.
      if (this.#isFetching || (this.#offset > this.#tail.offset && this.#tail.isLive)) return;
    }
    this.#isWaiting = false;
    notifyReader(this.#onReadable);
  }

  #atTail(): Frame | 'fetch' | undefined {
    return this.#tail.frameAt(this.#offset, this.#maxBytes);
  }

  #take(): Frame | undefined {
    while (!this.#isFetching) {
      if (this.#fetched) return this.#takeFetched(this.#fetched);
      const frame = this.#atTail();
      if (frame !== 'fetch') {
        this.#source.release?.();
        return frame;
      }
      const fetched = this.#source.fetch(this.#offset, this.#maxBytes);
      if (fetched instanceof Promise) this.#await(fetched);
      else if (!this.#keep(fetched)) return undefined;
    }
    return undefined;
  }

  #takeFetched(whole: Frame): Frame {
    const maxBytes = this.#maxBytes;
    const { offsets } = this.#tail;
    const frame = partOf(whole, this.#offset, { skip: 0, maxBytes, offsets });
    const rest = { ...whole, bytes: whole.bytes.subarray(frame.bytes.length) };
    this.#fetched = frame === whole ? undefined : rest;
    return frame;
  }

  /** Buffers a fetched frame. Returns false if it contains nothing new. */
  #keep(frame: Frame): boolean {
    if (frame.bytes.length > 0 || frame.end) {
      this.#fetched = frame;
      return true;
    }
    const isFurther = frame.next !== this.#offset;
    this.#offset = frame.next;
    return isFurther;
  }

  #await(fetching: Promise<Frame>): void {
    this.#isFetching = true;
    void fetching
      .then(
        (frame) => (this.#isDone ? false : this.#keep(frame)),
        (error: unknown) => {
          this.#failure = toStoreError(error);
          return true;
        },
      )
      .then((hasChanged) => {
        this.#isFetching = false;
        if (hasChanged) this.#resume();
      });
  }

  /** Notifies the reader after a fetch, unless the fetch only moved its offset. */
  #resume(): void {
    if (this.#isDone) return;
    const isReadable = this.#failure ?? this.#fetched ?? this.#atTail();
    if (isReadable) this.wake();
  }
}
