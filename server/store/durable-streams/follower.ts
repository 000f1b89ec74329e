import { notifyReader } from '../notify-reader.ts';
import type { Follower, Frame, Offset, StoreError, StreamEnd, StreamInfo } from '../types.ts';
import type { Backend } from './backend.ts';
import { afterBreak, CatchUp, type Piece } from './catch-up.ts';
import type { Metadata } from './meta.ts';
import type { Tail } from './tail.ts';
import type { Tails } from './tails.ts';
import { toStoreError } from './wire.ts';

export interface FollowerOptions {
  readonly id: string;
  readonly info: StreamInfo;
  /** Token of the stream. Another stream under the same id has another one. */
  readonly token: string;
  readonly offset: Offset;
  readonly maxBytes: number;
  readonly onReadable: () => void;
  readonly backend: Backend;
  readonly metadata: Metadata;
  readonly tails: Tails;
  /** The response that was received when the follower was opened. */
  readonly source: CatchUp;
}

/**
 * A read position in a stream. Before the tail, it sends requests of its own, at the speed of its reader. At the tail, it
 * shares one live read with all other followers. It buffers one frame. If its reader is too slow for the tail's window, it
 * sends requests again.
 */
export class StreamFollower implements Follower {
  readonly info: StreamInfo;
  readonly #options: FollowerOptions;
  readonly #stopping = new AbortController();
  #offset: Offset;
  #source: CatchUp | undefined;
  #tail: Tail | undefined;
  /** True while a request or the wait for the end is in progress. `#poke` is called when it has finished. */
  #busy = false;
  #breaks = 0;
  #held: Frame | undefined;
  #failure: StoreError | undefined;
  #waiting = false;
  #over = false;
  #onReady: (() => void) | undefined;
  /** Newest metadata that this follower knows. */
  #metadata: StreamInfo['metadata'];
  /** Metadata that the reader knows. */
  #reported: StreamInfo['metadata'];
  readonly #poke = (): void => this.#onNews();

  constructor(options: FollowerOptions) {
    this.info = options.info;
    this.#metadata = this.#reported = options.info.metadata;
    this.#options = options;
    this.#offset = options.offset;
    this.#use(options.source);
  }

  get metadata(): StreamInfo['metadata'] {
    return (this.#reported = this.#known());
  }

  /** Resolves when the first frame is buffered, or when there is none because the follower is at the tail. */
  async ready(): Promise<void> {
    const settled = (): boolean => {
      this.#held ??= this.#pull();
      return this.#held !== undefined || (this.#tail !== undefined && !this.#busy);
    };
    while (!settled()) await new Promise<void>((resolve) => (this.#onReady = resolve));
    this.#onReady = undefined;
  }

  next(): Frame | undefined {
    const frame = this.#held ?? this.#pull();
    this.#held = undefined;
    this.#waiting = frame === undefined && !this.#over;
    return frame;
  }

  stop(): void {
    this.#over = true;
    this.#held = undefined;
    this.#waiting = false;
    this.#stopping.abort();
    this.#source?.destroy();
    this.#source = undefined;
    this.#leave();
  }

  #pull(): Frame | undefined {
    if (this.#over) return undefined;
    if (this.#failure) throw this.#failure;
    while (!this.#busy) {
      const frame = this.#tail
        ? this.#pullLive(this.#tail)
        : this.#source
          ? this.#pullStored(this.#source)
          : 'open';
      if (frame === 'open') void this.#open();
      else if (frame !== 'again') return frame;
    }
    return undefined;
  }

  #pullLive(tail: Tail): Frame | undefined | 'again' {
    const frame = tail.take(this.#poke, this.#options.maxBytes);
    if (frame === false) {
      this.#leave();
      return 'again';
    }
    if (frame) this.#advance(frame);
    return frame;
  }

  #pullStored(source: CatchUp): Frame | undefined | 'again' {
    const piece = source.take(this.#options.maxBytes);
    if (!piece) {
      if (source.failure) void this.#reopen(source.failure);
      return undefined;
    }
    if (piece.bytes.length > 0) this.#breaks = 0;
    this.#offset = piece.next;
    if (!piece.last) return { bytes: piece.bytes, next: piece.next, upToDate: false };
    this.#source = undefined;
    if (source.closed) return this.#finish(piece);
    if (source.upToDate && this.#offset === source.next) this.#join();
    else if (piece.bytes.length === 0)
      void this.#reopen(new Error('the backend returned no bytes and no tail'));
    return piece.bytes.length === 0
      ? 'again'
      : { bytes: piece.bytes, next: piece.next, upToDate: source.upToDate };
  }

  /** Joins the live tail. If its position is not in the tail's window any more, reads from the backend. */
  #join(): void {
    const { tails, id, info, token } = this.#options;
    const init = { ...info, metadata: this.#metadata };
    this.#tail = tails.join({ id, init, token, offset: this.#offset }, this.#poke);
  }

  #known(): StreamInfo['metadata'] {
    return (this.#metadata = this.#tail?.init.metadata ?? this.#metadata);
  }

  #leave(): void {
    this.#tail?.leave(this.#poke);
    this.#tail = undefined;
  }

  #use(source: CatchUp): void {
    this.#source = source;
    source.onReadable = this.#poke;
  }

  #advance(frame: Frame): void {
    this.#offset = frame.next;
    if (!frame.end) return;
    this.#over = true;
    this.#leave();
  }

  #open(): Promise<void> {
    return this.#while(async () => {
      const { backend, id } = this.#options;
      const source = await CatchUp.open(backend, id, this.#offset, this.#stopping.signal);
      if (this.#over) source.destroy();
      else this.#use(source);
    });
  }

  #reopen(cause: Error): Promise<void> {
    return this.#while(async () => {
      this.#source?.destroy();
      this.#source = undefined;
      this.#breaks += 1;
      await afterBreak(this.#options.backend, this.#breaks, cause, this.#stopping.signal);
    });
  }

  /** Returns the last bytes of a closed stream together with its end. */
  #finish(piece: Piece): Frame | undefined {
    const { info, metadata, id } = this.#options;
    const last = (end: StreamEnd): Frame => ({ bytes: piece.bytes, next: piece.next, upToDate: true, end });
    if (info.end) {
      const frame = last(info.end);
      this.#advance(frame);
      return frame;
    }
    void this.#while(async () => {
      const end = await metadata.standingEnd(id);
      if (this.#over) return;
      this.#held = last(end);
      this.#advance(this.#held);
    });
    return undefined;
  }

  async #while(work: () => Promise<void>): Promise<void> {
    this.#busy = true;
    try {
      await work();
    } catch (error) {
      this.#failure = toStoreError(error);
    }
    this.#busy = false;
    this.#onNews();
  }

  #onNews(): void {
    this.#onReady?.();
    if (!this.#waiting) return;
    try {
      this.#held ??= this.#pull();
      if (!this.#held && this.#known() === this.#reported) return;
      this.#reported = this.#metadata;
    } catch (error) {
      this.#failure = toStoreError(error);
    }
    this.#waiting = false;
    notifyReader(this.#options.onReadable);
  }
}
