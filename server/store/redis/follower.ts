import { notifyReader } from '../notify-reader.ts';
import type { Follower, Frame, StreamInfo } from '../types.ts';
import type { StoreError } from '../types.ts';
import { unavailable } from './failures.ts';
import type { Feed, Reader } from './feed.ts';

export interface FollowerOptions {
  readonly feed: Feed;
  readonly info: StreamInfo;
  readonly from: number;
  readonly maxBytes: number;
  readonly onReadable: () => void;
}

/** One reader's place in a feed: a position, and at most one frame that was fetched for it. */
export class RedisFollower implements Follower, Reader {
  readonly info: StreamInfo;
  readonly #feed: Feed;
  readonly #maxBytes: number;
  readonly #onReadable: () => void;
  #position: number;
  #fetched: Frame | undefined;
  #fetching = false;
  #failure: StoreError | undefined;
  /** Whether the last pull gave nothing, so that `onReadable` is owed. */
  #waiting = false;
  #over = false;

  constructor({ feed, info, from, maxBytes, onReadable }: FollowerOptions) {
    this.info = info;
    this.#feed = feed;
    this.#position = from;
    this.#maxBytes = maxBytes;
    this.#onReadable = onReadable;
    feed.add(this);
  }

  get metadata(): StreamInfo['metadata'] {
    return this.#feed.metadata;
  }

  next(): Frame | undefined {
    if (this.#over) return undefined;
    const failure = this.#feed.failure ?? this.#failure;
    if (failure) throw failure;
    const frame = this.#fetched ?? this.#feed.frameAt(this.#position, this.#maxBytes);
    if (frame === undefined || frame === 'fetch') {
      this.#waiting = true;
      if (frame === 'fetch') this.#fetch();
      return undefined;
    }
    this.#fetched = undefined;
    this.#position += frame.bytes.length;
    if (frame.end) this.stop();
    return frame;
  }

  stop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#fetched = undefined;
    this.#feed.remove(this);
  }

  /** Calls `onReadable`, once for each time that a pull gave nothing. */
  wake(): void {
    if (!this.#waiting || this.#over) return;
    // While its own bytes are on their way, newer ones are no news.
    if (this.#fetching && !this.#feed.failure) return;
    this.#waiting = false;
    notifyReader(this.#onReadable);
  }

  #fetch(): void {
    if (this.#fetching) return;
    this.#fetching = true;
    this.#feed
      .fetch(this.#position, this.#maxBytes)
      .then(
        (frame) => (this.#fetched = frame),
        (error: unknown) => (this.#failure = unavailable(error)),
      )
      .finally(() => {
        this.#fetching = false;
        if (!this.#over) this.wake();
        else this.#fetched = undefined;
      });
  }
}
