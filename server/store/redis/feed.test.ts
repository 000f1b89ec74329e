import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatOffset } from '../shared/byte-offsets.ts';
import { StoreError, type StreamEnd } from '../types.ts';
import { Feed } from './feed.ts';
import { TailFollower } from '../shared/tail-follower.ts';

const EPOCH = 'abcdefgh-_012345';
const COMPLETE: StreamEnd = { outcome: 'complete' };

/** A stream in Redis, and a feed that receives only the messages that the test delivers. */
class Scene {
  bytes = Buffer.alloc(0);
  end: StreamEnd | undefined;
  reads = 0;
  readonly feed = new Feed({
    id: 'id',
    state: {
      epoch: EPOCH,
      tail: 0,
      init: { contentType: '', ttlSeconds: 60, metadata: {} },
      notes: '',
      fence: 0,
    },
    onIdle: () => undefined,
    read: async (from, maxBytes) => {
      this.reads += 1;
      if (from > this.bytes.length) throw new StoreError('INVALID_OFFSET', 'beyond');
      return { ...this.state(), bytes: this.bytes.subarray(from, from + maxBytes) };
    },
  });

  state() {
    return { epoch: EPOCH, tail: this.bytes.length, ...(this.end && { end: this.end }) };
  }

  /** Adds bytes. @returns the message that Redis sends. */
  add(bytes: Uint8Array, end?: StreamEnd): Buffer {
    const at = String(this.bytes.length).padStart(16, '0');
    this.bytes = Buffer.concat([this.bytes, bytes]);
    this.end = end;
    const json = end ? JSON.stringify(end) : '';
    const head = end ? `e${EPOCH}${at}${String(json.length).padStart(8, '0')}${json}` : `d${EPOCH}${at}`;
    return Buffer.concat([Buffer.from(head), bytes]);
  }

  follow(maxBytes = 65_536, from = 0) {
    const read: Uint8Array[] = [];
    const seen = { ended: false, error: undefined as unknown, wakes: 0, bytes: () => Buffer.concat(read) };
    const pull = () => {
      try {
        for (let frame = follower.next(); frame; frame = follower.next()) {
          expect(frame.bytes.length).toBeLessThanOrEqual(maxBytes);
          read.push(frame.bytes);
          if (frame.end) seen.ended = true;
        }
      } catch (error) {
        seen.error = error;
      }
    };
    const onReadable = () => {
      seen.wakes += 1;
      pull();
    };
    const info = { contentType: 'x', ttlSeconds: 1, metadata: {}, tail: '0' };
    const follower = new TailFollower({
      tail: this.feed.tail,
      source: this.feed,
      info,
      offset: formatOffset(from),
      maxBytes,
      onReadable,
    });
    pull();
    return Object.assign(seen, { pull, follower });
  }
}

/** Resolves once all pending work has finished: nothing in a scene waits for time. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

const piece = fc.uint8Array({ minLength: 1, maxLength: 40 });
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('heard' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('missed' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('late' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('own' as const), piece }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('repeated', 'look', 'age', 'turn', 'deliver') }) },
);

describe('a feed', () => {
  it('returns every byte once after a poll, even if messages were late, repeated or lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.integer({ min: 1, max: 50 }),
        async (steps, maxBytes) => {
          const scene = new Scene();
          const readers = [scene.follow(), scene.follow(maxBytes)];
          const late: Buffer[] = [];
          let last: Buffer | undefined;
          for (const one of steps) {
            if ('piece' in one) {
              const start = scene.bytes.length;
              const message = scene.add(one.piece);
              if (one.do === 'heard') scene.feed.onMessage(message);
              if (one.do === 'own') scene.feed.append(start, one.piece);
              if (one.do === 'late') late.push(message);
              last = message;
            } else if (one.do === 'repeated' && last) scene.feed.onMessage(last);
            else if (one.do === 'look') scene.feed.compare(scene.state(), scene.feed.position);
            else if (one.do === 'age') scene.feed.tail.age();
            else if (one.do === 'deliver') late.splice(0).forEach(scene.feed.onMessage);
            else await settled();
          }
          scene.add(Buffer.from('last'), COMPLETE);
          late.forEach(scene.feed.onMessage);
          await settled();
          scene.feed.compare(scene.state(), scene.feed.position);
          for (let i = 0; i < 2000 && !readers.every((reader) => reader.ended); i += 1) await settled();
          for (const reader of readers) {
            expect(reader.error).toBeUndefined();
            expect(reader.bytes().equals(scene.bytes)).toBe(true);
          }
        },
      ),
    );
  });

  it('does not poll Redis while messages arrive', async () => {
    const scene = new Scene();
    const reader = scene.follow();
    for (let i = 0; i < 10; i += 1) scene.feed.onMessage(scene.add(Buffer.from(`${i}`)));
    scene.feed.onMessage(scene.add(Buffer.from('!'), COMPLETE));
    expect(reader.bytes().toString()).toBe('0123456789!');
    expect(reader.ended).toBe(true);
    expect(scene.reads).toBe(0);
  });

  it('fetches missed bytes once for readers that request them at the same time', async () => {
    const scene = new Scene();
    scene.add(Buffer.from('past'));
    scene.feed.compare(scene.state(), 0);
    await settled();
    scene.feed.tail.age();
    scene.feed.tail.age();
    const { reads } = scene;
    const readers = Array.from({ length: 20 }, () => scene.follow());
    await settled();
    expect(scene.reads - reads).toBe(1);
    for (const reader of readers) expect(reader.bytes().toString()).toBe('past');
  });

  it('fails when Redis has less than before, or another epoch of the id', () => {
    const shorter = new Scene();
    const one = shorter.follow();
    shorter.feed.onMessage(shorter.add(Buffer.from('abc')));
    shorter.feed.compare({ epoch: EPOCH, tail: 2 }, 3);
    expect(one.error).toMatchObject({ code: 'UNAVAILABLE' });

    const other = new Scene();
    const two = other.follow();
    other.feed.onMessage(Buffer.from(`dAAAAAAAAAAAAAAAA${'0'.repeat(16)}abc`));
    expect(two.error).toMatchObject({ code: 'NOT_FOUND' });
    expect(two.bytes()).toHaveLength(0);

    const gone = new Scene();
    const three = gone.follow();
    gone.feed.compare(undefined, 0);
    expect(three.error).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('does not treat a poll result that is older than a message as lost bytes', () => {
    const scene = new Scene();
    const reader = scene.follow();
    const asked = scene.feed.position;
    const found = scene.state();
    scene.feed.onMessage(scene.add(Buffer.from('abc')));
    scene.feed.compare(found, asked);
    expect(reader.error).toBeUndefined();
  });

  it('wakes a reader once for each pull that returned nothing', () => {
    const scene = new Scene();
    let wakes = 0;
    const info = { contentType: 'x', ttlSeconds: 1, metadata: {}, tail: '0' };
    const onReadable = () => (wakes += 1);
    const follower = new TailFollower({
      tail: scene.feed.tail,
      source: scene.feed,
      info,
      offset: formatOffset(0),
      maxBytes: 10,
      onReadable,
    });
    scene.feed.onMessage(scene.add(Buffer.from('a')));
    expect(wakes).toBe(0);
    expect(follower.next()?.bytes).toHaveLength(1);
    expect(follower.next()).toBeUndefined();
    for (const text of ['b', 'c', 'd']) scene.feed.onMessage(scene.add(Buffer.from(text)));
    expect(wakes).toBe(1);
    follower.stop();
    scene.feed.onMessage(scene.add(Buffer.from('e')));
    expect(wakes).toBe(1);
  });
});
