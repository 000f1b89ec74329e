import type { Frame, StreamEnd, StreamInit } from '../types.ts';
import type { StoreError } from '../types.ts';
import type { Chunk, Described, State } from './commands.ts';
import { bytesLost, notFound, unavailable } from './failures.ts';
import { LIMIT_BYTES, LiveWindow } from './live-window.ts';
import { parseMessage, withNotes } from './messages.ts';
import { formatOffset } from './offsets.ts';

/** Bytes that are fetched at once for all followers. */
const FETCH_BYTES = 262_144;

/** One who is told that a feed has something for it. */
export interface Reader {
  wake(): void;
}

export interface FeedOptions {
  readonly id: string;
  readonly state: Described;
  /** Reads from Redis. `touch` when a reader asked for it. */
  readonly read: (from: number, maxBytes: number, touch: boolean) => Promise<Chunk>;
  /** Called when the last reader has left, or nothing can come any more. */
  readonly onIdle: (feed: Feed) => void;
}

/**
 * What this process knows of a stream that it follows, once for all followers: fed by the messages of Redis,
 * by our own appends, and by looking, in any order and any number of times. Positions make the bytes exact:
 * what is known is skipped, and a gap is fetched.
 */
export class Feed {
  readonly id: string;
  /** Of this life of the id. */
  readonly epoch: string;
  /** When Redis last said anything of the stream, on the clock of `performance.now`. */
  heardAt = performance.now();
  readonly #options: FeedOptions;
  readonly #window = new LiveWindow();
  readonly #readers = new Set<Reader>();
  readonly #fetches = new Map<string, Promise<Frame>>();
  #tail: number;
  #end: StreamEnd | undefined;
  #notes: string;
  #metadata: StreamInit['metadata'];
  #failure: StoreError | undefined;
  #catchingUp = false;
  #behind = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.id = options.id;
    this.epoch = options.state.epoch;
    this.#tail = options.state.tail;
    this.#end = options.state.end;
    this.#notes = options.state.notes;
    this.#metadata = withNotes(options.state.init.metadata, this.#notes);
  }

  /** The stream's metadata, with what was added to them. */
  get metadata(): StreamInit['metadata'] {
    return this.#metadata;
  }

  get tail(): number {
    return this.#tail;
  }

  get failure(): StoreError | undefined {
    return this.#failure;
  }

  /** True as long as anything may happen to the stream. */
  get isLive(): boolean {
    return this.#end === undefined && this.#failure === undefined;
  }

  get hasReaders(): boolean {
    return this.#readers.size > 0;
  }

  add(reader: Reader): void {
    this.#readers.add(reader);
  }

  remove(reader: Reader): void {
    if (this.#readers.delete(reader) && this.#readers.size === 0) this.#options.onIdle(this);
  }

  /** Takes a message of the stream's channel. */
  readonly onMessage = (raw: Buffer): void => {
    const message = parseMessage(raw);
    if (!message) return this.#catchUp();
    // Another life of the id: ours is over.
    if (message.epoch !== this.epoch) return this.fail(notFound());
    switch (message.kind) {
      case 'data':
        return this.ingest(message.start, message.bytes, message.end);
      case 'notes':
        return this.learnNotes(message.notes);
      case 'more':
        return this.#catchUp();
      case 'gone':
        return this.fail(notFound());
    }
  };

  /** Takes bytes that begin at a position, and the end when they are the last. */
  ingest(start: number, bytes: Uint8Array, end?: StreamEnd): void {
    if (!this.isLive) return;
    this.heardAt = performance.now();
    if (start > this.#tail) return this.#catchUp();
    const fresh = bytes.subarray(this.#tail - start);
    if (start + bytes.length < this.#tail || (fresh.length === 0 && !end)) return;
    if (fresh.length <= LIMIT_BYTES) this.#window.push(this.#tail, fresh, end);
    else this.#window.clear();
    this.#advance(this.#tail + fresh.length, end);
  }

  /** Takes all lines that were added to the metadata. */
  learnNotes(notes: string): void {
    // Lines are only ever added: what is shorter is older.
    if (!this.isLive || notes.length <= this.#notes.length) return;
    this.#notes = notes;
    this.#metadata = withNotes(this.#options.state.init.metadata, notes);
    this.#wake();
  }

  /**
   * Takes what a look at the stream found.
   * @param asked the tail when the look began: less than that means that Redis lost bytes.
   * @returns whether the look found what no message had told.
   */
  learn(found: (State & Partial<Described>) | undefined, asked: number): boolean {
    if (!this.isLive) return false;
    if (found?.epoch !== this.epoch) {
      this.fail(notFound());
      return false;
    }
    this.heardAt = performance.now();
    if (found.notes !== undefined) this.learnNotes(found.notes);
    if (found.tail < asked) {
      this.fail(bytesLost());
      return false;
    }
    if (found.tail > this.#tail) {
      this.#catchUp();
      return true;
    }
    if (found.end && found.tail === this.#tail) this.ingest(this.#tail, new Uint8Array(0), found.end);
    return found.end !== undefined;
  }

  /** Ends everything for all readers. */
  fail(failure: StoreError): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#window.clear();
    this.#wake();
    this.#options.onIdle(this);
  }

  /** Lets go of live frames that are not new any more. */
  age(): void {
    this.#window.age();
  }

  /** The frame at a position, `'fetch'` when it has to be fetched, undefined when there is nothing yet. */
  frameAt(position: number, maxBytes: number): Frame | 'fetch' | undefined {
    if (position >= this.#tail) return this.#end && this.#endFrame(this.#end);
    const slot = this.#window.at(position);
    if (!slot) return 'fetch';
    const { start, frame } = slot;
    if (start === position && frame.bytes.length <= maxBytes) return frame;
    const bytes = frame.bytes.subarray(position - start, position - start + maxBytes);
    return this.#frame(bytes, position, this.#tail, this.#end);
  }

  /** Fetches a frame from Redis; those who ask for the same get the same. */
  fetch(position: number, maxBytes: number): Promise<Frame> {
    const key = `${position}:${maxBytes}`;
    let fetch = this.#fetches.get(key);
    if (!fetch) {
      fetch = this.#fetch(position, maxBytes).finally(() => this.#fetches.delete(key));
      this.#fetches.set(key, fetch);
    }
    return fetch;
  }

  async #fetch(position: number, maxBytes: number): Promise<Frame> {
    try {
      const { bytes, tail, end } = await this.#options.read(position, maxBytes, true);
      return this.#frame(bytes, position, tail, end);
    } catch (error) {
      throw this.#judge(error);
    }
  }

  #frame(bytes: Uint8Array, position: number, tail: number, end: StreamEnd | undefined): Frame {
    const next = position + bytes.length;
    const upToDate = next >= tail;
    return { bytes, next: formatOffset(next), upToDate, ...(upToDate && end && { end }) };
  }

  /** What stands behind the last byte; the window has it when the closing brought no bytes. */
  #endFrame(end: StreamEnd): Frame {
    const slot = this.#window.at(this.#tail);
    if (slot?.start === this.#tail) return slot.frame;
    return this.#window.push(this.#tail, new Uint8Array(0), end);
  }

  /** Fetches what is behind the tail, or, when that is a lot, leaves it to the readers. */
  #catchUp(): void {
    this.#behind = true;
    if (this.#catchingUp || !this.isLive) return;
    this.#catchingUp = true;
    void this.#catchUpAll().finally(() => (this.#catchingUp = false));
  }

  async #catchUpAll(): Promise<void> {
    try {
      while (this.#behind && this.isLive) {
        this.#behind = false;
        const from = this.#tail;
        const { bytes, tail, end } = await this.#options.read(from, FETCH_BYTES, false);
        const next = from + bytes.length;
        if (tail - next > LIMIT_BYTES) this.#jump(tail, end);
        else this.ingest(from, bytes, next === tail ? end : undefined);
        if (next < tail && this.#tail < tail) this.#behind = true;
      }
    } catch (error) {
      this.fail(this.#judge(error));
    }
  }

  #jump(tail: number, end: StreamEnd | undefined): void {
    if (!this.isLive || tail < this.#tail) return;
    this.heardAt = performance.now();
    this.#window.clear();
    this.#advance(tail, end);
  }

  #advance(tail: number, end: StreamEnd | undefined): void {
    this.#tail = tail;
    this.#end = end;
    this.#wake();
    if (end) this.#options.onIdle(this);
  }

  /** A position that was there and is not any more was lost. */
  #judge(error: unknown): StoreError {
    const known = unavailable(error);
    const failure = known.code === 'INVALID_OFFSET' ? bytesLost() : known;
    if (failure.code === 'NOT_FOUND') this.fail(failure);
    return failure;
  }

  #wake(): void {
    for (const reader of this.#readers) reader.wake();
  }
}
