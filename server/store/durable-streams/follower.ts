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
  /** Which life of the stream this is. */
  readonly token: string;
  readonly offset: Offset;
  readonly maxBytes: number;
  readonly onReadable: () => void;
  readonly backend: Backend;
  readonly metadata: Metadata;
  readonly tails: Tails;
  /** The answer that opening the follower got already. */
  readonly source: CatchUp;
}

/**
 * A reader's hold on a stream: behind the tail it reads answers of its own as fast as it is pulled, at the
 * tail it shares one live read with all others. It holds one frame, and goes back to the first when it is slow.
 */
export class StreamFollower implements Follower {
  readonly info: StreamInfo;
  readonly #options: FollowerOptions;
  readonly #stopping = new AbortController();
  #offset: Offset;
  #source: CatchUp | undefined;
  #tail: Tail | undefined;
  /** A request, or the waiting for an end, is under way; it pokes when it is over. */
  #busy = false;
  #breaks = 0;
  #held: Frame | undefined;
  #failure: StoreError | undefined;
  #waiting = false;
  #over = false;
  #onReady: (() => void) | undefined;
  /** As far as this follower knows, and as its reader knows. */
  #metadata: StreamInfo['metadata'];
  #told: StreamInfo['metadata'];
  readonly #poke = (): void => this.#onNews();

  constructor(options: FollowerOptions) {
    this.info = options.info;
    this.#metadata = this.#told = options.info.metadata;
    this.#options = options;
    this.#offset = options.offset;
    this.#use(options.source);
  }

  get metadata(): StreamInfo['metadata'] {
    return (this.#told = this.#known());
  }

  /** Resolves when the first frame is at hand, or when there is none: the follower stands at the tail. */
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
      void this.#reopen(new Error('the backend gave nothing, not even the tail'));
    return piece.bytes.length === 0
      ? 'again'
      : { bytes: piece.bytes, next: piece.next, upToDate: source.upToDate };
  }

  /** Without a place at the tail it goes on behind it. */
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

  /** Nobody gets the last bytes of a closed stream without its end. */
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
      if (!this.#held && this.#known() === this.#told) return;
      this.#told = this.#metadata;
    } catch (error) {
      this.#failure = toStoreError(error);
    }
    this.#waiting = false;
    notifyReader(this.#options.onReadable);
  }
}
