import { notifyReader } from '../notify-reader.ts';
import type { Follower, Frame, StreamInfo } from '../types.ts';
import type { EmbeddedStream } from './stream.ts';

/** A position in a stream, and whom to tell. */
export class EmbeddedFollower implements Follower {
  readonly info: StreamInfo;
  readonly #stream: EmbeddedStream;
  readonly #onReadable: () => void;
  readonly #maxBytes: number;
  #position: number;
  #isWaiting = false;
  /** True when the end was given, or nobody asks any more. */
  #isDone = false;

  constructor(stream: EmbeddedStream, position: number, onReadable: () => void, maxBytes: number) {
    this.#stream = stream;
    this.#position = position;
    this.#onReadable = onReadable;
    this.#maxBytes = Math.max(1, maxBytes);
    this.info = stream.info;
    stream.addFollower(this);
  }

  get metadata(): StreamInfo['metadata'] {
    return this.#stream.init.metadata;
  }

  next(): Frame | undefined {
    if (this.#isDone) return undefined;
    const stream = this.#stream;
    if (stream.gone) throw stream.gone;
    if (this.#position < stream.tail) {
      const { frame, stop } = stream.next(this.#position, this.#maxBytes);
      this.#position = stop;
      this.#isDone = frame.end !== undefined;
      return frame;
    }
    this.#isDone = stream.end !== undefined;
    if (this.#isDone) return stream.tailFrame;
    this.#isWaiting = true;
    return undefined;
  }

  /** Tells the reader, once, if it has seen that there was nothing. */
  wake(): void {
    if (!this.#isWaiting || this.#isDone) return;
    this.#isWaiting = false;
    notifyReader(this.#onReadable);
  }

  stop(): void {
    this.#isDone = true;
    this.#stream.removeFollower(this);
  }
}
