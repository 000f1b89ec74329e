import { randomUUID } from 'node:crypto';
import { expect, objectContaining } from '../expect.ts';
import type { StreamEnd } from '../../store/types.ts';
import type { Follower, Frame, Offset, StreamInit, StreamStore } from '../../store/types.ts';

/** What a factory gives: a store that is open, and what the suite needs to know of it. */
export interface StoreUnderTest {
  /** The store. */
  readonly store: StreamStore;
  /** Disposes of the store that is open now and opens another over the same bytes, as a restart does. */
  reopen(): Promise<StreamStore>;
  /** Disposes of the store that is open now, and of all that lies behind it. */
  dispose(): Promise<void>;
  /** Options of the tests for this store. */
  readonly options?: StoreOptions;
}

/** Options of the contract tests of a store. */
export interface StoreOptions {
  /** The shortest TTL that the store can keep, in seconds. Default 1. */
  readonly smallestTtlSeconds?: number;
  /** True for a store that one process holds: opening it closes open data streams as `interrupted`. */
  readonly exclusive?: boolean;
}

/** Creates the store of a test. */
export type StoreFactory = () => Promise<StoreUnderTest>;

export const COMPLETE: StreamEnd = { outcome: 'complete' };

export const newId = (): string => randomUUID();

export function init(overrides: Partial<StreamInit> = {}): StreamInit {
  return { contentType: 'text/event-stream', ttlSeconds: 3600, metadata: {}, ...overrides };
}

/** A new stream with these appends, one after the other. */
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

/** Everything from an offset on, by `read`, checking what every frame must keep to. */
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

/** Everything as text. */
export async function textOf(store: StreamStore, id: string, from: Offset = '-1'): Promise<string> {
  return (await readAll(store, id, from)).bytes.toString();
}

/** A follower that pulls whatever there is whenever it is told to, and lets a test wait for what it wants. */
export class Tail {
  readonly frames: Frame[] = [];
  end: StreamEnd | undefined;
  error: Error | undefined;
  /** How often `onReadable` was called. */
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

  /** Resolves with everything once the end arrived; rejects with what `next` threw. */
  async toEnd(): Promise<Buffer> {
    await this.until((tail) => tail.end !== undefined || tail.error !== undefined);
    if (this.error) throw this.error;
    return this.bytes;
  }

  stop(): void {
    this.#follower?.stop();
  }
}

/** Polls a condition that only time makes true (an expiry), until the deadline. */
export async function eventually(condition: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not true within ${timeoutMs} ms`);
    await pause(20);
  }
}

/** Lets the event loop go round once: a store may answer from memory, without it. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lets time pass where time itself is under test (TTLs), and nowhere else. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const storeError = (code: string): unknown => objectContaining({ name: 'StoreError', code });

/** Bytes that differ everywhere, from a seed: a shift or a repetition by the store shows. */
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

/** Compares large contents without printing megabytes on a difference. */
export function expectSame(actual: Uint8Array, wanted: Uint8Array): void {
  expect(actual.length).toBe(wanted.length);
  expect(Buffer.compare(actual, wanted)).toBe(0);
}
