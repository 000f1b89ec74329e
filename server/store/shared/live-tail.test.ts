import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StoreError, type Frame, type Offset, type StreamEnd } from '../types.ts';
import { BYTE_OFFSETS, formatOffset, parseOffset } from './byte-offsets.ts';
import { FRAME_BYTES, type OffsetArithmetic } from './frames.ts';
import { LiveTail, type WindowLimits } from './live-tail.ts';
import { TailFollower, type FrameSource } from './tail-follower.ts';

const COMPLETE: StreamEnd = { outcome: 'complete' };
const INFO = { contentType: 'x', ttlSeconds: 1, metadata: {}, tail: '0' };

/** Offsets of a store that knows only the ends of its appends: the distance within an append is unknown. */
const OPAQUE: OffsetArithmetic = {
  after: BYTE_OFFSETS.after,
  between: (from, to) => (from === to ? 0 : undefined),
};

interface SceneOptions {
  readonly limits: WindowLimits;
  readonly offsets: OffsetArithmetic;
  /** Whether the store answers in the same turn. */
  readonly isSynchronous: boolean;
}

/**
 * A stream in a store, and its tail. The test resolves each fetch, and decides which writes the tail is notified of.
 */
class Scene implements FrameSource {
  stored = Buffer.alloc(0);
  end: StreamEnd | undefined;
  idle = 0;
  readonly pending: (() => void)[] = [];
  readonly tail: LiveTail;
  readonly #options: SceneOptions;

  constructor(options: SceneOptions) {
    this.#options = options;
    this.tail = new LiveTail({
      offset: formatOffset(0),
      metadata: {},
      offsets: options.offsets,
      limits: options.limits,
      onIdle: () => (this.idle += 1),
    });
  }

  fetch(from: Offset, maxBytes: number): Frame | Promise<Frame> {
    const read = (): Frame => {
      const position = parseOffset(from);
      // A store may return more or less than requested.
      const bytes = this.stored.subarray(position, position + maxBytes * 2);
      const next = position + bytes.length;
      const upToDate = next === this.stored.length;
      return { bytes, next: formatOffset(next), upToDate, ...(upToDate && this.end && { end: this.end }) };
    };
    if (this.#options.isSynchronous) return read();
    return new Promise((resolve) => this.pending.push(() => resolve(read())));
  }

  /** Stores bytes without notifying the tail. */
  store(bytes: Uint8Array, end?: StreamEnd): void {
    this.stored = Buffer.concat([this.stored, bytes]);
    this.end = end;
  }

  /** Notifies the tail of what was stored since the last notification, with the bytes or with the position only. */
  report(inMemory: boolean): void {
    const position = parseOffset(this.tail.offset);
    const next = formatOffset(this.stored.length);
    if (inMemory) this.tail.push({ bytes: Buffer.from(this.stored.subarray(position)), next, end: this.end });
    else this.tail.jump(next, this.end);
    this.tail.trim();
    this.tail.wake();
  }

  /** @param eager pulls whenever it is woken. Other readers pull when the test says so. */
  follow(offset: Offset, maxBytes: number, eager: boolean) {
    const parts: Uint8Array[] = [];
    const reader = {
      eager,
      from: parseOffset(offset),
      ended: 0,
      wakes: 0,
      isOwed: false,
      error: undefined as unknown,
      bytes: () => Buffer.concat(parts),
      pull(limit = Infinity) {
        try {
          for (let i = 0; i < limit; i += 1) {
            const frame = follower.next();
            reader.isOwed = frame === undefined && reader.ended === 0;
            if (!frame) return;
            expect(frame.bytes.length).toBeLessThanOrEqual(maxBytes);
            expect(frame.bytes.length > 0 || frame.end).toBeTruthy();
            parts.push(frame.bytes);
            expect(parseOffset(frame.next)).toBe(reader.from + reader.bytes().length);
            if (frame.end) reader.ended += 1;
          }
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          reader.error = error;
        }
      },
      stop: () => follower.stop(),
    };
    const onReadable = () => {
      expect(reader.isOwed).toBe(true);
      reader.wakes += 1;
      reader.isOwed = false;
      if (eager) reader.pull();
    };
    const { tail } = this;
    const follower = new TailFollower({ tail, source: this, info: INFO, offset, maxBytes, onReadable });
    if (eager) reader.pull();
    return reader;
  }
}

/** Runs all reactions to resolved promises. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('store' as const), size: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('report' as const), inMemory: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('follow' as const),
      at: fc.nat(100),
      maxBytes: fc.integer({ min: 1, max: 70 }),
      eager: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('pull' as const),
      reader: fc.nat(9),
      frames: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const), reader: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('answer', 'turn', 'age') }) },
);
const options = fc.record({
  limits: fc.record({ frames: fc.integer({ min: 0, max: 5 }), bytes: fc.integer({ min: 0, max: 200 }) }),
  offsets: fc.constantFrom(BYTE_OFFSETS, OPAQUE),
  isSynchronous: fc.boolean(),
});

describe('a live tail', () => {
  it('sends each reader each byte from its offset exactly once and in order, then the end once', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 40 }), async (sceneOptions, steps) => {
        const scene = new Scene(sceneOptions);
        const readers = [scene.follow(formatOffset(0), 10, true)];
        const stopped = new Set<number>();
        let count = 0;
        for (const one of steps) {
          if (one.do === 'store')
            scene.store(Buffer.from(Array.from({ length: one.size }, () => (count += 1) % 251)));
          else if (one.do === 'report') scene.report(one.inMemory);
          else if (one.do === 'follow') {
            // Also between the stored end and the tail's position: a store may return more than it has announced.
            const at = Math.floor((scene.stored.length * one.at) / 100);
            readers.push(scene.follow(formatOffset(at), one.maxBytes, one.eager));
          } else if (one.do === 'pull') readers[one.reader % readers.length]?.pull(one.frames);
          else if (one.do === 'stop' && readers.length > 1) {
            const index = 1 + (one.reader % (readers.length - 1));
            stopped.add(index);
            readers[index]?.stop();
          } else if (one.do === 'answer') scene.pending.shift()?.();
          else if (one.do === 'age') scene.tail.age();
          else await settled();
        }
        scene.store(Buffer.from('last'), COMPLETE);
        scene.report(steps.length % 2 === 0);
        for (let turn = 0; turn < 5_000; turn += 1) {
          scene.pending.splice(0).forEach((answer) => answer());
          await settled();
          // Eager readers must be woken.
          readers.forEach((reader) => reader.eager || reader.pull());
          if (readers.every(({ ended }, i) => ended > 0 || stopped.has(i))) break;
        }
        for (const [i, reader] of readers.entries()) {
          expect(reader.error).toBeUndefined();
          const expected = scene.stored.subarray(reader.from);
          if (stopped.has(i)) expect(expected.indexOf(reader.bytes())).toBe(0);
          else expect(reader.bytes().equals(expected)).toBe(true);
          expect(reader.ended).toBe(stopped.has(i) ? reader.ended : 1);
        }
        expect(scene.tail.hasReaders).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  const limits = { frames: 8, bytes: 4 * FRAME_BYTES };
  const scene = (isSynchronous = false) => new Scene({ limits, offsets: BYTE_OFFSETS, isSynchronous });

  it('shares frames among readers, and cuts them for readers that request less', () => {
    const { tail, ...rest } = scene();
    const shared = [1, 2].map(() => tailReader(tail));
    const small = tailReader(tail, 1_000);
    tail.push({ bytes: Buffer.alloc(FRAME_BYTES + 10), next: formatOffset(FRAME_BYTES + 10) });
    expect(shared[0]?.next()).toBe(shared[1]?.next());
    expect(small.next()).toEqual({ bytes: Buffer.alloc(1_000), next: formatOffset(1_000), upToDate: false });
    expect(shared[0]?.next()).toMatchObject({ upToDate: true, next: formatOffset(FRAME_BYTES + 10) });
    expect(rest.pending).toHaveLength(0);
  });

  it('limits its frames, and without readers keeps only those that the store cannot read yet', () => {
    const { tail } = scene();
    const push = (commit: number) =>
      tail.push({ bytes: Buffer.alloc(10), next: BYTE_OFFSETS.after(tail.offset, 10), commit });
    push(1);
    push(2);
    tail.trim(1);
    expect(tail.frameAt(formatOffset(0), 100)).toBe('fetch');
    expect(tail.frameAt(formatOffset(10), 100)).toMatchObject({ next: formatOffset(20) });
    expect(tail.unreadableFrom(1)).toBe(formatOffset(10));
    expect(tail.bytesAt(formatOffset(15), 100)).toHaveLength(5);
    tail.trim(2);
    expect(tail.frameAt(formatOffset(10), 100)).toBe('fetch');
    expect(tail.unreadableFrom(2)).toBeUndefined();
    tailReader(tail);
    for (let i = 0; i < 20; i += 1) push(2);
    tail.trim(2);
    expect(tail.frameAt(formatOffset(130), 100)).toBe('fetch');
    expect(tail.frameAt(formatOffset(140), 100)).toMatchObject({ next: formatOffset(150) });
  });

  it('notifies readers of a failure at once, also during a fetch, and keeps no frames', () => {
    const one = scene();
    one.store(Buffer.from('abc'));
    one.tail.push({ bytes: Buffer.from('abc'), next: formatOffset(3) });
    const reader = one.follow(formatOffset(0), 10, true);
    one.tail.jump(formatOffset(9));
    one.tail.wake();
    const fetching = one.follow(formatOffset(1), 10, true);
    expect(one.pending).toHaveLength(2);
    one.tail.fail(new StoreError('NOT_FOUND', 'deleted'));
    one.tail.fail(new StoreError('UNAVAILABLE', 'later'));
    expect([reader.error, fetching.error]).toEqual(
      Array(2).fill(expect.objectContaining({ code: 'NOT_FOUND' })),
    );
    expect(one.tail.isLive).toBe(false);
  });

  it('reports a failed fetch to its own reader only', async () => {
    const one = scene();
    one.store(Buffer.from('abc'));
    one.tail.jump(formatOffset(3));
    const failing = { fetch: () => Promise.reject(new Error('reset')) };
    let wakes = 0;
    const reader = tailReader(one.tail, 10, failing, () => (wakes += 1));
    expect(reader.next()).toBeUndefined();
    await settled();
    expect(wakes).toBe(1);
    expect(() => reader.next()).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    const other = one.follow(formatOffset(0), 10, true);
    one.pending.splice(0).forEach((answer) => answer());
    await settled();
    expect(other.bytes().toString()).toBe('abc');
  });

  it('wakes readers when the metadata change and when the stream ends without bytes', () => {
    const one = scene();
    const reader = one.follow(formatOffset(0), 10, true);
    one.tail.annotate({ status: '200' });
    one.tail.wake();
    expect(reader.wakes).toBe(1);
    one.tail.push({ bytes: Buffer.alloc(0), next: formatOffset(0), end: COMPLETE });
    one.tail.wake();
    expect(reader).toMatchObject({ wakes: 2, ended: 1 });
  });

  it('buffers the first frame before ready resolves', async () => {
    const one = scene(true);
    one.store(Buffer.from('abc'));
    one.tail.jump(formatOffset(3));
    const fetch = async (from: Offset, maxBytes: number) => one.fetch(from, maxBytes);
    const reader = tailReader(one.tail, 10, { fetch });
    await reader.ready();
    expect(Buffer.from(reader.next()?.bytes ?? []).toString()).toBe('abc');
  });
});

function tailReader(
  tail: LiveTail,
  maxBytes = FRAME_BYTES,
  source: FrameSource = { fetch: () => Promise.reject(new Error('not in the tail')) },
  onReadable: () => void = () => undefined,
): TailFollower {
  return new TailFollower({ tail, source, info: INFO, offset: formatOffset(0), maxBytes, onReadable });
}
