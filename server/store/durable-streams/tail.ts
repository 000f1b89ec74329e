import { isDeepStrictEqual } from 'node:util';
import { isPending } from '../metadata.ts';
import type { Frame, Offset, StoreError, StreamEnd, StreamInit } from '../types.ts';
import type { Backend } from './backend.ts';
import { LiveRead } from './live-read.ts';
import type { Metadata } from './meta.ts';
import type { Registry } from './registry.ts';
import { formatOffset, notFound, parseOffset, toStoreError } from './wire.ts';

/** Most bytes of a shared frame. */
export const FRAME_BYTES = 65_536;
/** Bytes of the newest frames that are kept for followers that come or fall behind; older ones are read again. */
const WINDOW_BYTES = 262_144;
/** Milliseconds within which what this process wrote must have come back by the live read. */
const ECHO_MS = 2_000;

/** A frame, and the place before it. What nobody holds any more is collected. */
interface Link {
  readonly frame: Frame;
  readonly from: Offset;
  /** Bytes of all frames up to this one. */
  readonly total: number;
  next?: Link;
}

/** A follower's place at the tail: behind a link. */
interface Standing {
  link: Link;
  /** Bytes of the next link's frame that the follower has, when its frames are smaller. */
  cut: number;
  /** Where the follower stands, when the tail has not come there yet. */
  ahead?: Offset;
}

export interface TailOptions {
  readonly id: string;
  readonly init: StreamInit;
  /** Which life of the stream this is. Another under the same id has nothing to do with it. */
  readonly token: string;
  readonly offset: Offset;
  readonly backend: Backend;
  readonly metadata: Metadata;
  readonly registry: Registry;
  readonly silenceMs: number;
  /** The last listener left, or the tail ended or failed: nobody is to join any more. */
  readonly onOver: (tail: Tail) => void;
}

/** Told of news: a frame, an end, a failure. */
export type Listener = () => void;

/** The live end of one stream, read once for all its followers in the process. */
export class Tail {
  /** Its metadata change. */
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
  /** What this process wrote and the live read has not brought yet. */
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

  /** Behind the newest frame. */
  get position(): Offset {
    return this.#newest.frame.next;
  }

  /** A place at this offset, or undefined when the tail is past it and does not remember it. */
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

  /** The read at the backend goes with the last one. */
  leave(listener: Listener): void {
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop();
  }

  /**
   * The next frame of a listener, undefined when there is none yet, or false when its place is lost: it fell
   * too far behind, or stands inside of a frame.
   * @throws StoreError when the stream vanished or the backend failed.
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

  /** This process wrote up to here, which must come back. */
  expect(next: Offset): void {
    if (next > this.position) this.#expected = { next, sinceMs: performance.now() };
  }

  /** Looks after a read that is silent: it may be at the tail, or dead. Called every second. */
  look(nowMs: number): void {
    this.#options.metadata.touch(this.#options.id);
    // The metadata log is not followed: another process adds to it once at most, as a rule before the first byte.
    if (isPending(this.init.metadata)) void this.refresh().catch(() => undefined);
    if (this.#expected && this.#expected.next <= this.position) this.#expected = undefined;
    // A read that brings other bytes is late, and a new one would be later.
    const silentMs = nowMs - Math.max(this.#aliveMs, this.#expected?.sinceMs ?? nowMs);
    if (silentMs > ECHO_MS) {
      this.#expected = undefined;
      this.#live.reconnect();
    }
    if (nowMs - this.#aliveMs > this.#options.silenceMs) void this.check();
  }

  /** Reads the metadata again, and tells the listeners if they have changed. @throws StoreError */
  async refresh(): Promise<void> {
    const incarnation = await this.#options.metadata.read(this.#options.id);
    if (this.#over || incarnation?.token !== this.token) return;
    const { metadata } = incarnation.init;
    if (isDeepStrictEqual(metadata, this.init.metadata)) return;
    this.init = incarnation.init;
    this.#tell();
  }

  /** Compares the tail with the backend's HEAD, which says what a dead connection does not. */
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
      // Its own attempts to reconnect decide whether the backend is gone.
      this.#live.reconnect();
    } finally {
      this.#checking = false;
      this.#aliveMs = performance.now();
    }
  }

  /** Ends the tail, and every follower once it has what is there. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#failure = toStoreError(error);
    this.#stop();
    this.#tell();
  }

  /** A connection that is made again must not go on in another stream of the same id. */
  async #verify(): Promise<void> {
    const { metadata, id, token } = this.#options;
    if ((await metadata.read(id))?.token !== token) throw notFound(id);
  }

  /** Sends all listeners away, to read on for themselves and to meet again at another tail. */
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
      this.#tell();
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
      // One that does not pull must not hold all that came since; it is told nothing, since it asked for nothing.
      if (place.link.total < this.#oldest.total) this.#listeners.delete(listener);
    }
    if (this.#listeners.size === 0) this.#stop();
  }

  #tell(): void {
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
