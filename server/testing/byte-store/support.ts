import { randomUUID } from 'node:crypto';
import { expect, objectContaining } from '../expect.ts';
import type { StreamEnd } from '../../store/types.ts';
import type { Follower, Frame, Offset, StreamInit, StreamStore } from '../../store/types.ts';

/** Result of a factory: an open store and its properties. */
export interface StoreUnderTest {
  /** The store. */
  readonly store: StreamStore;
  /** Disposes of the open store and opens another one on the same data, as a restart does. */
  reopen(): Promise<StreamStore>;
  /** Disposes of the open store and removes its data. */
  dispose(): Promise<void>;
  /** Options of the tests for this store. */
  readonly options?: StoreOptions;
}

/** Options of the contract tests of a store. */
export interface StoreOptions {
  /** The shortest TTL that the store supports, in seconds. Default 1. */
  readonly smallestTtlSeconds?: number;
  /** True for a single-process store: opening it closes open data streams as `interrupted`. Default false. */
  readonly exclusive?: boolean;
}

/** Creates the store of a test. */
export type StoreFactory = () => Promise<StoreUnderTest>;

export const COMPLETE: StreamEnd = { outcome: 'complete' };

export const newId = (): string => randomUUID();

export function init(overrides: Partial<StreamInit> = {}): StreamInit {
  return { contentType: 'text/event-stream', ttlSeconds: 3600, metadata: {}, ...overrides };
}

/** Creates a stream with these appends, one after the other. */
export async function streamOf(store: StreamStore, ...appends: (string | Uint8Array)[]): Promise<string> {
  const id = newId();
  expect(await store.create(id, init())).toBe(true);
  for (const bytes of appends) await store.append(id, Buffer.from(bytes));
  return id;
}

export interface Content {
  readonly bytes: Buffer;
  readonly next: Offset;
  readonly end?: StreamEnd;
}

/** Reads all bytes from an offset with `read`, and checks each frame against the contract. */
export async function readAll(
  store: StreamStore,
  id: string,
  from: Offset = '-1',
  maxBytes = 65_536,
): Promise<Content> {
  const parts: Uint8Array[] = [];
  let offset = from;
  for (;;) {
    const frame = await store.read(id, offset, maxBytes);
    expect(frame.bytes.length).toBeLessThanOrEqual(maxBytes);
    parts.push(frame.bytes);
    offset = frame.next;
    if (frame.end) return { bytes: Buffer.concat(parts), next: offset, end: frame.end };
    if (frame.upToDate) return { bytes: Buffer.concat(parts), next: offset };
    expect(frame.bytes.length, 'a frame that is not up to date moves on').toBeGreaterThan(0);
  }
}

/** Reads everything as text. */
export async function textOf(store: StreamStore, id: string, from: Offset = '-1'): Promise<string> {
  return (await readAll(store, id, from)).bytes.toString();
}

/** A follower that pulls all frames whenever it is woken. A test can wait for a condition. */
export class Tail {
  readonly frames: Frame[] = [];
  end: StreamEnd | undefined;
  error: Error | undefined;
  /** Number of calls of `onReadable`. */
  wakes = 0;
  #follower: Follower | undefined;
  #check: (() => void) | undefined;

  static async open(store: StreamStore, id: string, offset: Offset = '-1', maxBytes?: number): Promise<Tail> {
    const tail = new Tail();
    tail.#follower = await store.follow(
      id,
      offset,
      () => {
        tail.wakes += 1;
        tail.#pull();
      },
      maxBytes,
    );
    tail.#pull();
    return tail;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.frames.map((frame) => frame.bytes));
  }

  get follower(): Follower {
    return this.#follower!;
  }

  #pull(): void {
    // A store may call back before `follow` has resolved.
    if (!this.#follower) return;
    try {
      for (;;) {
        const frame = this.#follower.next();
        if (!frame) break;
        this.frames.push(frame);
        if (frame.end) this.end = frame.end;
        else expect(frame.bytes.length).toBeGreaterThan(0);
      }
    } catch (error) {
      this.error = error as Error;
    }
    this.#check?.();
  }

  /** Resolves once `condition` holds. The test's own timeout is the limit. */
  async until(condition: (tail: Tail) => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#check = () => {
        if (condition(this)) resolve();
      };
      this.#check();
    });
    this.#check = undefined;
  }

  /** Resolves with all bytes once the end has arrived. Rejects with the error of `next`. */
  async toEnd(): Promise<Buffer> {
    await this.until((tail) => tail.end !== undefined || tail.error !== undefined);
    if (this.error) throw this.error;
    return this.bytes;
  }

  stop(): void {
    this.#follower?.stop();
  }
}

/** Polls a condition that depends on time only (an expiry), until the deadline. */
export async function eventually(condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not true within ${timeoutMs} ms`);
    await pause(20);
  }
}

/** Waits for one turn of the event loop, because a store may respond from memory without one. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Waits for a time. Used only where time itself is tested (TTLs). */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const storeError = (code: string): unknown => objectContaining({ name: 'StoreError', code });

/** Returns pseudo-random bytes from a seed, so that shifted or repeated bytes are detected. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}

/** Compares large contents without printing megabytes of differences. */
export function expectSame(actual: Uint8Array, wanted: Uint8Array): void {
  expect(actual.length).toBe(wanted.length);
  expect(Buffer.compare(actual, wanted)).toBe(0);
}
