import { isDeepStrictEqual } from 'node:util';
import { isPending } from '../metadata.ts';
import { notFound, toStoreError } from '../shared/errors.ts';
import { LiveTail, NETWORK_WINDOW } from '../shared/live-tail.ts';
import type { Offset, StreamEnd, StreamInit } from '../types.ts';
import type { Backend } from './backend.ts';
import { LiveRead } from './live-read.ts';
import type { Metadata } from './meta.ts';
import { PLACES } from './places.ts';
import type { Registry } from './registry.ts';
import type { Written } from './writer.ts';

/** Milliseconds within which the live read must return what this process wrote. */
const ECHO_MS = 2_000;
/** Maximum milliseconds between two polls of a stream that only this process writes. */
const OWN_SILENCE_MS = 1_000;

export interface FeedContext {
  readonly backend: Backend;
  readonly metadata: Metadata;
  readonly registry: Registry;
  readonly silenceMs: number;
}

export interface FeedOptions extends FeedContext {
  readonly id: string;
  /** Token of the stream. Another stream under the same id has another one. */
  readonly token: string;
  readonly entries: StreamInit['metadata'];
  /** Offset just past the last byte of the stream. */
  readonly offset: Offset;
  /** Set if the stream is closed. */
  readonly end: StreamEnd | undefined;
  /** True if this process is the only writer of the stream, up to `offset`. */
  readonly isOwn: boolean;
  /** Called when the last reader has disconnected, and when no more changes can arrive. */
  readonly onIdle: (feed: Feed) => void;
}

/**
 * Keeps the live tail of a stream up to date. Bytes that this process writes as the only writer come from memory,
 * once the backend has acknowledged them. Everything else comes from one live read at the backend for all readers of
 * the process.
 */
export class Feed {
  readonly id: string;
  readonly token: string;
  readonly tail: LiveTail;
  readonly #options: FeedOptions;
  #live: LiveRead | undefined;
  /** When the backend last reported anything about the stream, on the clock of `performance.now`. */
  #heardMs = performance.now();
  #isChecking = false;
  /** Set while the live read has not returned what this process wrote. */
  #expected: { readonly next: Offset; readonly sinceMs: number } | undefined;

  constructor(options: FeedOptions) {
    const { id, token, offset, end, entries, isOwn, onIdle } = options;
    this.#options = options;
    this.id = id;
    this.token = token;
    this.tail = new LiveTail({
      offset,
      end,
      metadata: entries,
      offsets: PLACES,
      limits: NETWORK_WINDOW,
      onIdle: () => {
        if (!this.tail.isLive || !this.tail.hasReaders) this.#stopListening();
        onIdle(this);
      },
    });
    if (!isOwn) this.#listen();
  }

  /**
   * Handles a write of this process that the backend has acknowledged. If it begins at the tail, and only this process
   * writes, readers get it from memory.
   */
  written({ from, bytes, next, end }: Written): void {
    if (!this.tail.isLive) return;
    if (next !== undefined && from === this.tail.offset) {
      this.#stopListening();
      this.#heardMs = performance.now();
      // A copy, because the bytes belong to the caller.
      this.#push(Buffer.from(bytes), next, true, end);
      return;
    }
    if (next !== undefined && next <= this.tail.offset && !end) return;
    this.#expected = { next: next ?? this.tail.offset, sinceMs: performance.now() };
    this.#listen();
  }

  /** Replaces the metadata, and notifies the readers if they have changed. */
  annotate(entries: StreamInit['metadata']): void {
    if (isDeepStrictEqual(entries, this.tail.metadata)) return;
    this.tail.annotate(entries);
    this.tail.wake();
  }

  /** Reads the metadata again. @throws StoreError */
  async refresh(): Promise<void> {
    const incarnation = await this.#options.metadata.read(this.id);
    if (incarnation?.token === this.token && !this.tail.failure) this.annotate(incarnation.init.metadata);
  }

  /** Polls a stream that is silent: nothing was written, or its connection is dead. Called every second. */
  checkSilence(nowMs: number): void {
    this.tail.age();
    if (!this.tail.isLive) return;
    this.#options.metadata.touch(this.id);
    // The metadata log is not followed: another process adds to it at most once, usually before the first byte.
    if (isPending(this.tail.metadata)) void this.refresh().catch(() => undefined);
    if (this.#expected && this.#expected.next <= this.tail.offset) this.#expected = undefined;
    // A live read that returns other bytes is only late, and reconnecting would delay it further.
    if (nowMs - Math.max(this.#heardMs, this.#expected?.sinceMs ?? nowMs) > ECHO_MS) {
      this.#expected = undefined;
      this.#reconnect();
    }
    const { silenceMs } = this.#options;
    const limitMs = this.#live ? silenceMs : Math.min(silenceMs, OWN_SILENCE_MS);
    if (nowMs - this.#heardMs > limitMs) void this.check();
  }

  /** Compares the tail with the backend's HEAD, to detect a dead connection and writes of others. */
  async check(): Promise<void> {
    if (this.#isChecking || !this.tail.isLive) return;
    this.#isChecking = true;
    const before = this.#heardMs;
    try {
      const head = await this.#options.registry.head(this.id);
      if (!head) return this.tail.fail(notFound());
      const isElsewhere = head.closed || head.tail !== this.tail.offset;
      if (isElsewhere && this.#heardMs === before) this.#reconnect();
    } catch {
      // The live read's attempts to reconnect decide whether the backend is unavailable.
      this.#reconnect();
    } finally {
      this.#isChecking = false;
      this.#heardMs = performance.now();
    }
  }

  #listen(): void {
    if (this.#live || !this.tail.isLive) return;
    const live: LiveRead = new LiveRead(this.#options.backend, this.id, this.tail.offset, {
      onBytes: (bytes, next, upToDate) => this.#push(bytes, next, upToDate),
      onClosed: (bytes, next) => void this.#close(bytes, next),
      onStuck: () => void this.#skip(live),
      beforeReconnect: () => this.#verify(),
      onAlive: () => (this.#heardMs = performance.now()),
      onFailed: (error) => this.tail.fail(toStoreError(error)),
    });
    this.#live = live;
  }

  #stopListening(): void {
    this.#live?.stop();
    this.#live = undefined;
    this.#expected = undefined;
  }

  #reconnect(): void {
    if (this.#live) this.#live.reconnect();
    else this.#listen();
  }

  #push(bytes: Uint8Array, next: Offset, upToDate: boolean, end?: StreamEnd): void {
    this.tail.push({ bytes, next, upToDate, end });
    this.tail.trim();
    this.tail.wake();
  }

  async #close(bytes: Uint8Array, next: Offset): Promise<void> {
    try {
      const end = await this.#options.metadata.storedEnd(this.id);
      if (this.tail.isLive) this.#push(bytes, next, true, end);
    } catch (error) {
      this.tail.fail(toStoreError(error));
    }
  }

  /** Moves the tail past bytes that a live read cannot return. Readers get them with catch-up reads. */
  async #skip(live: LiveRead): Promise<void> {
    const { registry, metadata } = this.#options;
    try {
      const head = await registry.head(this.id);
      if (!head) throw notFound();
      const end = head.closed ? await metadata.storedEnd(this.id) : undefined;
      if (this.#live !== live) return;
      this.#stopListening();
      this.tail.jump(head.tail, end);
      this.tail.wake();
      this.#listen();
    } catch (error) {
      this.tail.fail(toStoreError(error));
    }
  }

  /** Throws if the id belongs to another stream now, so that a new connection does not continue in that one. */
  async #verify(): Promise<void> {
    if ((await this.#options.metadata.read(this.id))?.token !== this.token) throw notFound();
  }
}
