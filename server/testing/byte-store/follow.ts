import { expect } from '../expect.ts';
import type { Suite } from './suite.ts';
import { COMPLETE, expectSame, init, newId, noise, storeError, streamOf, Tail } from './support.ts';

export function describeFollow({ it, section }: Suite): void {
  section('follow', (s) => {
    it('returns stored bytes, then new bytes, then the end', async () => {
      const id = await streamOf(s.store, 'past ');
      const tail = await Tail.open(s.store, id);
      await tail.until((t) => t.bytes.length === 5);
      await s.store.append(id, Buffer.from('present '));
      await tail.until((t) => t.bytes.length === 13);
      await s.store.close(id, COMPLETE, Buffer.from('future'));
      expect((await tail.toEnd()).toString()).toBe('past present future');
      expect(tail.frames.at(-1)).toMatchObject({ upToDate: true, end: COMPLETE });
      tail.stop();
    });

    it('returns nothing more after the end', async () => {
      const id = await streamOf(s.store, 'x');
      await s.store.close(id, COMPLETE);
      const tail = await Tail.open(s.store, id);
      await tail.toEnd();
      const { wakes } = tail;
      expect(tail.follower.next()).toBeUndefined();
      expect(tail.follower.next()).toBeUndefined();
      await s.store.head(id);
      expect(tail.wakes).toBe(wakes);
      tail.stop();
    });

    it('ends a follower at the tail when the stream is closed without bytes', async () => {
      const id = await streamOf(s.store, 'all');
      const { tail: at } = (await s.store.head(id))!;
      const tail = await Tail.open(s.store, id, at);
      await s.store.close(id, COMPLETE);
      expect(await tail.toEnd()).toHaveLength(0);
      expect(tail.frames).toHaveLength(1);
      expect(tail.frames[0]).toMatchObject({ next: at, upToDate: true, end: COMPLETE });
      tail.stop();
    });

    it('reports the stream as it was when it opened', async () => {
      const id = newId();
      await s.store.create(id, init({ contentType: 'text/plain', metadata: { a: 'b' } }));
      await s.store.append(id, Buffer.from('abc'));
      const { fence: _, ...info } = (await s.store.head(id))!;
      const open = await Tail.open(s.store, id);
      expect(open.follower.info).toMatchObject(info);
      open.stop();
      await s.store.close(id, COMPLETE);
      const closed = await Tail.open(s.store, id);
      expect(closed.follower.info).toMatchObject({ ...info, end: COMPLETE });
      closed.stop();
    });

    it('calls onReadable once, however many bytes arrive before the next pull', async () => {
      const id = await streamOf(s.store);
      let calls = 0;
      let called: (() => void) | undefined;
      const follower = await s.store.follow(id, '-1', () => {
        calls += 1;
        called?.();
      });
      expect(follower.next()).toBeUndefined();
      const first = new Promise<void>((resolve) => (called = resolve));
      for (let i = 0; i < 10; i += 1) await s.store.append(id, Buffer.from([i]));
      await first;
      // Once a second follower has seen the last byte, every wake has been delivered.
      const witness = await Tail.open(s.store, id);
      await witness.until((t) => t.bytes.length === 10);
      expect(calls).toBe(1);
      const bytes: number[] = [];
      for (let frame = follower.next(); bytes.length < 10; frame = follower.next()) {
        for (const byte of frame?.bytes ?? []) bytes.push(byte);
        if (!frame) await new Promise<void>((resolve) => (called = resolve));
      }
      expect(bytes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      follower.stop();
      witness.stop();
    });

    it('wakes within milliseconds', async () => {
      const id = await streamOf(s.store);
      const tail = await Tail.open(s.store, id);
      const delays: number[] = [];
      for (let i = 1; i <= 60; i += 1) {
        let acknowledged = Number.POSITIVE_INFINITY;
        const seen = tail.until((t) => t.bytes.length === i).then(() => performance.now());
        await s.store.append(id, Buffer.from('x')).then(() => (acknowledged = performance.now()));
        delays.push((await seen) - acknowledged);
      }
      delays.sort((a, b) => a - b);
      expect(delays[30]!, `median of ${delays.map((d) => d.toFixed(1)).join(' ')}`).toBeLessThan(25);
      tail.stop();
    });

    it('limits the size of its frames', async () => {
      const bytes = noise(300_000);
      const id = await streamOf(s.store, bytes.subarray(0, 10), bytes.subarray(10, 150_000));
      for (const maxBytes of [1000, 65_536]) {
        const tail = await Tail.open(s.store, id, '-1', maxBytes);
        await tail.until((t) => t.bytes.length === 150_000);
        for (const frame of tail.frames) expect(frame.bytes.length).toBeLessThanOrEqual(maxBytes);
        tail.stop();
      }
      const live = await Tail.open(s.store, id, (await s.store.head(id))!.tail, 1000);
      await s.store.append(id, bytes.subarray(150_000));
      await s.store.close(id, COMPLETE);
      expectSame(await live.toEnd(), bytes.subarray(150_000));
      for (const frame of live.frames) expect(frame.bytes.length).toBeLessThanOrEqual(1000);
      live.stop();
    });

    it('loses nothing for a follower that does not pull', async () => {
      const id = await streamOf(s.store);
      let wake: (() => void) | undefined;
      const follower = await s.store.follow(id, '-1', () => wake?.());
      const parts = Array.from({ length: 2000 }, (_, i) => noise(1 + (i % 97), i + 1));
      for (let i = 0; i < parts.length; i += 50) {
        await Promise.all(parts.slice(i, i + 50).map((part) => s.store.append(id, part)));
      }
      await s.store.close(id, COMPLETE);
      const read: Uint8Array[] = [];
      for (let ended = false; !ended;) {
        const readable = new Promise<void>((resolve) => (wake = resolve));
        const frame = follower.next();
        if (!frame) await readable;
        else {
          read.push(frame.bytes);
          ended = frame.end !== undefined;
        }
      }
      follower.stop();
      expectSame(Buffer.concat(read), Buffer.concat(parts));
    });

    it('lets a follower fall behind and catch up, at any speed', async () => {
      const id = await streamOf(s.store);
      const elsewhere = await streamOf(s.store);
      const bytes = noise(400_000);
      const writing = (async () => {
        for (let at = 0; at < bytes.length; at += 1000)
          await s.store.append(id, bytes.subarray(at, at + 1000));
        await s.store.close(id, COMPLETE);
      })();
      let wake: (() => void) | undefined;
      const follower = await s.store.follow(id, '-1', () => wake?.());
      const read: Uint8Array[] = [];
      for (let ended = false; !ended;) {
        const readable = new Promise<void>((resolve) => (wake = resolve));
        const frame = follower.next();
        if (!frame) {
          await readable;
          continue;
        }
        read.push(frame.bytes);
        ended = frame.end !== undefined;
        // Sometimes several appends happen between two pulls.
        for (let i = read.length % 4; i > 0; i -= 1) await s.store.append(elsewhere, Buffer.from('x'));
      }
      await writing;
      follower.stop();
      expectSame(Buffer.concat(read), bytes);
    });

    it('shares the frames of a live tail among followers', async () => {
      const id = await streamOf(s.store, 'past');
      const { tail: at } = (await s.store.head(id))!;
      const tails = await Promise.all(Array.from({ length: 200 }, () => Tail.open(s.store, id, at)));
      await s.store.append(id, Buffer.from('live'));
      await Promise.all(tails.map((tail) => tail.until((t) => t.frames.length === 1)));
      expect(new Set(tails.map((tail) => tail.frames[0])).size).toBe(1);
      await s.store.close(id, COMPLETE, Buffer.from('end'));
      await Promise.all(tails.map((tail) => tail.toEnd()));
      expect(new Set(tails.map((tail) => tail.frames.at(-1))).size).toBe(1);
      for (const tail of tails) expect(tail.bytes.toString()).toBe('liveend');
      for (const tail of tails) tail.stop();
    });

    it('is not affected by a follower whose callback throws', async () => {
      const id = await streamOf(s.store);
      const thrown: unknown[] = [];
      const listeners = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.on('uncaughtException', (error) => thrown.push(error));
      try {
        const bad = await s.store.follow(id, '-1', () => {
          throw new Error('a bug in a reader');
        });
        expect(bad.next()).toBeUndefined();
        const good = await Tail.open(s.store, id);
        await s.store.append(id, Buffer.from('x'));
        await good.until((t) => t.bytes.length === 1);
        await s.store.append(id, Buffer.from('y'));
        await good.until((t) => t.bytes.length === 2);
        bad.stop();
        good.stop();
        expect(thrown).toEqual([]);
      } finally {
        process.removeAllListeners('uncaughtException');
        for (const listener of listeners) process.on('uncaughtException', listener);
      }
    });

    it('does not call back after stop, which is idempotent', async () => {
      const id = await streamOf(s.store);
      const stopped = await Tail.open(s.store, id);
      const witness = await Tail.open(s.store, id);
      stopped.stop();
      stopped.stop();
      await s.store.append(id, Buffer.from('x'));
      await witness.until((t) => t.bytes.length === 1);
      expect(stopped.wakes).toBe(0);
      expect(stopped.follower.next()).toBeUndefined();
      witness.stop();
    });

    it('may be stopped and opened from within its callback', async () => {
      const id = await streamOf(s.store);
      const ended = new Promise<Buffer>((resolve, reject) => {
        const step = async (offset: string, sofar: Uint8Array[]): Promise<void> => {
          const follower = await s.store.follow(id, offset, () => pull());
          const pull = (): void => {
            const frame = follower.next();
            if (!frame) return;
            follower.stop();
            const bytes = [...sofar, frame.bytes];
            if (frame.end) resolve(Buffer.concat(bytes));
            else step(frame.next, bytes).catch(reject);
          };
          pull();
        };
        step('-1', []).catch(reject);
      });
      for (let i = 0; i < 20; i += 1) await s.store.append(id, Buffer.from(`${i} `));
      await s.store.close(id, COMPLETE);
      expect((await ended).toString()).toBe(Array.from({ length: 20 }, (_, i) => `${i} `).join(''));
    });

    it('releases its resources', async () => {
      const id = await streamOf(s.store, 'x');
      const warm = await Tail.open(s.store, id);
      await warm.until((t) => t.bytes.length === 1);
      warm.stop();
      const before = process.getActiveResourcesInfo().length;
      for (let i = 0; i < 300; i += 1) {
        const tails = await Promise.all([Tail.open(s.store, id), Tail.open(s.store, id)]);
        for (const tail of tails) tail.stop();
      }
      await s.store.append(id, Buffer.from('y'));
      expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before + 5);
    });

    it('rejects with NOT_FOUND if the stream does not exist', async () => {
      await expect(s.store.follow(newId(), '-1', () => {})).rejects.toEqual(storeError('NOT_FOUND'));
    });
  });
}
