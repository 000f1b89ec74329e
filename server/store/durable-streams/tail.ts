import { isDeepStrictEqual } from 'node:util';
import { isPending } from '../metadata.ts';
import type { Frame, Offset, StoreError, StreamEnd, StreamInit } from '../types.ts';
import type { Backend } from './backend.ts';
import { LiveRead } from './live-read.ts';
import type { Metadata } from './meta.ts';
import type { Registry } from './registry.ts';
import { formatOffset, notFound, parseOffset, toStoreError } from './wire.ts';

/** Maximum bytes of a shared frame. */
export const FRAME_BYTES = 65_536;
/** Bytes of the newest frames that are kept for new and slow followers. Older ones are read from the backend. */
const WINDOW_BYTES = 262_144;
/** Milliseconds within which the live read must return what this process wrote. */
const ECHO_MS = 2_000;

/** A frame and the offset before it. A linked list: frames without a reader are garbage-collected. */
interface Link {
  readonly frame: Frame;
  readonly from: Offset;
  /** Bytes of all frames up to this one. */
  readonly total: number;
  next?: Link;
}

/** Position of a follower in the tail's window: after a link. */
interface Standing {
  link: Link;
  /** Bytes of the next link's frame that the follower has, if its frames are smaller. */
  cut: number;
  /** Offset of the follower, if the tail has not reached it yet. */
  ahead?: Offset;
}

export interface TailOptions {
  readonly id: string;
  readonly init: StreamInit;
  /** Token of the stream. Another stream under the same id has another one. */
  readonly token: string;
  readonly offset: Offset;
  readonly backend: Backend;
  readonly metadata: Metadata;
  readonly registry: Registry;
  readonly silenceMs: number;
  /** Called when the last listener has left, or the tail has ended or failed. No listener can join afterwards. */
  readonly onOver: (tail: Tail) => void;
}

/** Called when there is a frame, an end or a failure. */
export type Listener = () => void;

/** The live tail of one stream: one read for all followers of this process. */
export class Tail {
  /** Metadata can change. */
  init: StreamInit;
  readonly token: string;
  readonly #options: TailOptions;
  readonly #listeners = new Map<Listener, Standing>();
  readonly #live: LiveRead;
  #oldest: Link;
  #newest: Link;
  #failure: StoreError | undefined;
  #over = false;
  #aliveMs = performance.now();
  #checking = false;
  /** Set while the live read has not returned what this process wrote. */
  #expected: { readonly next: Offset; readonly sinceMs: number } | undefined;

  constructor(options: TailOptions) {
    const { backend, id, offset } = options;
    this.#options = options;
    this.init = options.init;
    this.token = options.token;
    const start: Frame = { bytes: new Uint8Array(0), next: offset, upToDate: true };
    this.#oldest = this.#newest = { frame: start, from: offset, total: 0 };
    this.#live = new LiveRead(backend, id, offset, {
      onBytes: (bytes, next, upToDate) => this.#push(bytes, next, upToDate),
      onClosed: (bytes, next) => void this.#close(bytes, next),
      onStuck: () => this.#scatter(),
      beforeReconnect: () => this.#verify(),
      onAlive: () => (this.#aliveMs = performance.now()),
      onFailed: (error) => this.fail(error),
    });
  }

  /** Offset after the newest frame. */
  get position(): Offset {
    return this.#newest.frame.next;
  }

  /** Returns the position with this offset. Returns undefined if the window begins after it. */
  find(offset: Offset): Standing | undefined {
    for (let link: Link | undefined = this.#oldest; link; link = link.next) {
      if (link.frame.next === offset && !link.frame.end) return { link, cut: 0 };
    }
    if (offset < this.position || this.#newest.frame.end) return undefined;
    return { link: this.#newest, cut: 0, ahead: offset };
  }

  join(listener: Listener, place: Standing): void {
    this.#listeners.set(listener, place);
  }

  /** Removes a listener. The live read ends with the last one. */
  leave(listener: Listener): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
  }

  /**
   * Returns the next frame of a listener, undefined if there is none yet, or false if the window does not contain its
   * position: it was too slow, or its offset is inside a frame.
   * @throws StoreError if the stream was deleted or the backend failed.
   */
  take(listener: Listener, maxBytes: number): Frame | undefined | false {
    const place = this.#listeners.get(listener);
    if (!place) return false;
    for (let link = place.link.next; link; link = place.link.next) {
      const { frame, from } = link;
      if (place.ahead === undefined || place.ahead === from) {
        delete place.ahead;
        return take(place, link, maxBytes);
      }
      if (frame.next > place.ahead || frame.end) return false;
      place.link = link;
    }
    if (this.#failure) throw this.#failure;
    return undefined;
  }

  /** Notes that this process wrote up to this offset, which the live read must return. */
  expect(next: Offset): void {
    if (next > this.position) this.#expected = { next, sinceMs: performance.now() };
  }

  /** Checks a read that receives nothing: it may be at the tail, or dead. Called every second. */
  look(nowMs: number): void {
    this.#options.metadata.touch(this.#options.id);
    // The metadata log is not followed: another process adds to it once at most, as a rule before the first byte.
    if (isPending(this.init.metadata)) void this.refresh().catch(() => undefined);
    if (this.#expected && this.#expected.next <= this.position) this.#expected = undefined;
    // A read that returns other bytes is late. A new one would be later still.
    const silentMs = nowMs - Math.max(this.#aliveMs, this.#expected?.sinceMs ?? nowMs);
    if (silentMs > ECHO_MS) {
      this.#expected = undefined;
      this.#live.reconnect();
    }
    if (nowMs - this.#aliveMs > this.#options.silenceMs) void this.check();
  }

  /** Reads the metadata again, and notifies the listeners if they have changed. @throws StoreError */
  async refresh(): Promise<void> {
    const incarnation = await this.#options.metadata.read(this.#options.id);
    if (this.#over || incarnation?.token !== this.token) return;
    const { metadata } = incarnation.init;
    if (isDeepStrictEqual(metadata, this.init.metadata)) return;
    this.init = incarnation.init;
    this.#notify();
  }

  /** Compares the tail with the backend's HEAD, to detect a dead connection. */
  async check(): Promise<void> {
    if (this.#checking || this.#over) return;
    this.#checking = true;
    const before = this.#aliveMs;
    try {
      const head = await this.#options.registry.head(this.#options.id);
      if (!head) return this.fail(notFound(this.#options.id));
      const elsewhere = head.closed || head.tail !== this.position;
      if (elsewhere && this.#aliveMs === before) this.#live.reconnect();
    } catch {
      // The live read's attempts to reconnect decide whether the backend is unavailable.
      this.#live.reconnect();
    } finally {
      this.#checking = false;
      this.#aliveMs = performance.now();
    }
  }

  /** Ends the tail, and each follower after the frames that it has not read yet. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#failure = toStoreError(error);
    this.#stop();
    this.#notify();
  }

  /** Throws if the id belongs to another stream now, so that a new connection does not continue in that one. */
  async #verify(): Promise<void> {
    const { metadata, id, token } = this.#options;
    if ((await metadata.read(id))?.token !== token) throw notFound(id);
  }

  /** Removes all listeners. They read from the backend, and join another tail. */
  #scatter(): void {
    const listeners = [...this.#listeners.keys()];
    this.#listeners.clear();
    this.#stop();
    for (const listener of listeners) listener();
  }

  async #close(bytes: Uint8Array, next: Offset): Promise<void> {
    try {
      const end = await this.#options.metadata.standingEnd(this.#options.id);
      if (this.#over) return;
      this.#over = true;
      this.#options.onOver(this);
      this.#push(bytes, next, true, end);
    } catch (error) {
      this.fail(error);
    }
  }

  #push(bytes: Uint8Array, next: Offset, upToDate: boolean, end?: StreamEnd): void {
    const start = parseOffset(this.position);
    for (let at = 0; at === 0 || at < bytes.length; at += FRAME_BYTES) {
      const to = Math.min(at + FRAME_BYTES, bytes.length);
      const last = to === bytes.length;
      const inner = { base: start.base, skip: start.skip + to };
      this.#add({
        bytes: bytes.subarray(at, to),
        next: last ? next : formatOffset(inner),
        upToDate: last && upToDate,
        ...(last && end && { end }),
      });
      this.#notify();
    }
  }

  #add(frame: Frame): void {
    const link: Link = { frame, from: this.position, total: this.#newest.total + frame.bytes.length };
    this.#newest.next = link;
    this.#newest = link;
    const floor = link.total - WINDOW_BYTES;
    if (this.#oldest.total >= floor) return;
    while (this.#oldest.next && this.#oldest.total < floor) this.#oldest = this.#oldest.next;
    for (const [listener, place] of this.#listeners) {
      // A listener that does not read must not keep all newer frames in memory. It reads from the backend later.
      if (place.link.total < this.#oldest.total) this.#listeners.delete(listener);
    }
    if (this.#listeners.size === 0) this.#stop();
  }

  #notify(): void {
    for (const listener of this.#listeners.keys()) listener();
  }

  #stop(): void {
    this.#live.stop();
    if (this.#over) return;
    this.#over = true;
    this.#options.onOver(this);
  }
}

function take(place: Standing, link: Link, maxBytes: number): Frame {
  const { frame, from } = link;
  const left = frame.bytes.length - place.cut;
  if (left <= maxBytes) {
    const bytes = place.cut === 0 ? undefined : frame.bytes.subarray(place.cut);
    place.link = link;
    place.cut = 0;
    return bytes ? { ...frame, bytes } : frame;
  }
  const bytes = frame.bytes.subarray(place.cut, place.cut + maxBytes);
  place.cut += maxBytes;
  const { base, skip } = parseOffset(from);
  return { bytes, next: formatOffset({ base, skip: skip + place.cut }), upToDate: false };
}
