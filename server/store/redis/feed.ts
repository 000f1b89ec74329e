import { BYTE_OFFSETS, formatOffset, parseOffset } from '../shared/byte-offsets.ts';
import { notFound } from '../shared/errors.ts';
import { NO_BYTES } from '../shared/frames.ts';
import { LiveTail, NETWORK_WINDOW } from '../shared/live-tail.ts';
import type { FrameSource } from '../shared/tail-follower.ts';
import { isStoreError } from '../is-store-error.ts';
import type { Frame, Offset, StoreError, StreamEnd } from '../types.ts';
import type { Chunk, Described, ReadOptions, State } from './commands.ts';
import { bytesLost, unavailable } from './failures.ts';
import { parseMessage, withNotes } from './messages.ts';

/** Bytes that one read fetches at most, unless a reader asks for more. A reader that is behind buffers them. */
const FETCH_BYTES = 262_144;

export interface FeedOptions {
  readonly id: string;
  readonly state: Described;
  /** Reads from Redis. `touch` restarts the TTL, for reads on behalf of a reader. */
  readonly read: (
    from: number,
    maxBytes: number,
    options: Pick<ReadOptions, 'touch' | 'entryBytes'>,
  ) => Promise<Chunk>;
  /** Called when the last reader left, and when no more news can come. */
  readonly onIdle: (feed: Feed) => void;
}

/**
 * Keeps the live tail of a stream up to date: from messages of Redis, from this process's own appends, and from
 * polls. These may arrive late, repeatedly or not at all. Positions show which bytes are new: known bytes are
 * skipped, missing ones are fetched.
 */
export class Feed implements FrameSource {
  readonly id: string;
  /** Epoch of the stream. A stream that is created again under the same id has another. */
  readonly epoch: string;
  readonly tail: LiveTail;
  /** When Redis last reported anything about the stream, on the clock of `performance.now`. */
  heardAt = performance.now();
  readonly #options: FeedOptions;
  readonly #fetches = new Map<string, Promise<Frame>>();
  /** Size of the log's entries at the last read. */
  #entryBytes: number | undefined;
  #position: number;
  #notes: string;
  #isCatchingUp = false;
  #hasMissed = false;

  constructor(options: FeedOptions) {
    const { id, state } = options;
    this.#options = options;
    this.id = id;
    this.epoch = state.epoch;
    this.#position = state.tail;
    this.#notes = state.notes;
    this.tail = new LiveTail({
      offset: formatOffset(state.tail),
      end: state.end,
      metadata: withNotes(state.init.metadata, state.notes),
      offsets: BYTE_OFFSETS,
      limits: NETWORK_WINDOW,
      onIdle: () => options.onIdle(this),
    });
  }

  /** Position after the last byte. */
  get position(): number {
    return this.#position;
  }

  /** Handles a message of the stream's channel. */
  readonly onMessage = (raw: Buffer): void => {
    const message = parseMessage(raw);
    if (!message) return this.#catchUp();
    // Another stream was created under the id: this one no longer exists.
    if (message.epoch !== this.epoch) return this.tail.fail(notFound());
    switch (message.kind) {
      case 'data':
        return this.append(message.start, message.bytes, message.end);
      case 'notes':
        return this.addNotes(message.notes);
      case 'more':
        return this.#catchUp();
      case 'gone':
        return this.tail.fail(notFound());
    }
  };

  /** Adds bytes that begin at a position, and the end if the stream was closed with them. The bytes must not change. */
  append(start: number, bytes: Uint8Array, end?: StreamEnd): void {
    if (!this.tail.isLive) return;
    this.heardAt = performance.now();
    if (start > this.#position) return this.#catchUp();
    const known = this.#position - start;
    if (known > bytes.length || (known === bytes.length && !end)) return;
    const fresh = known === bytes.length ? NO_BYTES : compact(bytes.subarray(known));
    this.#position += fresh.length;
    this.tail.push({ bytes: fresh, next: formatOffset(this.#position), end });
    this.tail.trim();
    this.tail.wake();
  }

  /** Adds entries to the metadata. `notes` are all lines that were added so far. */
  addNotes(notes: string): void {
    // Lines are only ever added: a shorter text is older.
    if (!this.tail.isLive || notes.length <= this.#notes.length) return;
    this.#notes = notes;
    this.tail.annotate(withNotes(this.#options.state.init.metadata, notes));
    this.tail.wake();
  }

  /**
   * Handles the result of a poll.
   *
   * @param asked position of the tail when the poll began. If Redis has less, it lost bytes.
   * @returns true if the poll found data that no message had reported.
   */
  compare(found: (State & Partial<Described>) | undefined, asked: number): boolean {
    if (!this.tail.isLive) return false;
    if (found?.epoch !== this.epoch) {
      this.tail.fail(notFound());
      return false;
    }
    this.heardAt = performance.now();
    if (found.notes !== undefined) this.addNotes(found.notes);
    if (found.tail < asked) {
      this.tail.fail(bytesLost());
      return false;
    }
    if (found.tail > this.#position) {
      this.#catchUp();
      return true;
    }
    if (found.end && found.tail === this.#position) this.append(this.#position, NO_BYTES, found.end);
    return found.end !== undefined;
  }

  /** Reads bytes for a reader. Readers that need the same bytes at the same time share the request and the frame. */
  fetch(from: Offset, maxBytes: number): Promise<Frame> {
    const size = Math.max(maxBytes, FETCH_BYTES);
    const key = `${from}:${size}`;
    let fetch = this.#fetches.get(key);
    if (!fetch) {
      fetch = this.#fetch(parseOffset(from), size).finally(() => this.#fetches.delete(key));
      this.#fetches.set(key, fetch);
    }
    return fetch;
  }

  async #fetch(position: number, maxBytes: number): Promise<Frame> {
    try {
      return frameOf(position, await this.#read(position, maxBytes, true));
    } catch (error) {
      throw this.#failureOf(error);
    }
  }

  async #read(from: number, maxBytes: number, touch: boolean): Promise<Chunk> {
    const chunk = await this.#options.read(from, maxBytes, { touch, entryBytes: this.#entryBytes });
    if (chunk.bytes.length > 0) this.#entryBytes = chunk.entryBytes;
    return chunk;
  }

  /** Reads the bytes that the tail missed. If there are more than the tail keeps, readers fetch them. */
  #catchUp(): void {
    this.#hasMissed = true;
    if (this.#isCatchingUp || !this.tail.isLive) return;
    this.#isCatchingUp = true;
    void this.#catchUpAll().finally(() => (this.#isCatchingUp = false));
  }

  async #catchUpAll(): Promise<void> {
    try {
      while (this.#hasMissed && this.tail.isLive) {
        this.#hasMissed = false;
        const from = this.#position;
        const { bytes, tail, end } = await this.#read(from, FETCH_BYTES, false);
        const next = from + bytes.length;
        if (tail - next > NETWORK_WINDOW.bytes) this.#jump(tail, end);
        else this.append(from, bytes, next === tail ? end : undefined);
        if (next < tail && this.#position < tail) this.#hasMissed = true;
      }
    } catch (error) {
      this.tail.fail(this.#failureOf(error));
    }
  }

  #jump(position: number, end: StreamEnd | undefined): void {
    if (!this.tail.isLive || position < this.#position) return;
    this.heardAt = performance.now();
    this.#position = position;
    this.tail.jump(formatOffset(position), end);
    this.tail.wake();
  }

  #failureOf(error: unknown): StoreError {
    // Redis no longer has a position that it had acknowledged.
    const failure = isStoreError(error, 'INVALID_OFFSET') ? bytesLost() : unavailable(error);
    if (failure.code === 'NOT_FOUND') this.tail.fail(failure);
    return failure;
  }
}

/** Returns a chunk that was read from a position as a frame. */
export function frameOf(position: number, { bytes, tail, end }: Omit<Chunk, 'epoch'>): Frame {
  const next = position + bytes.length;
  const upToDate = next >= tail;
  return { bytes, next: formatOffset(next), upToDate, ...(upToDate && end && { end }) };
}

/** Copies bytes that are a small part of a larger buffer, such as a chunk in what a socket received: they would retain all of it. */
function compact(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes;
}
