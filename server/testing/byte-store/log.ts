import { expect } from '../expect.ts';
import type { Suite } from './suite.ts';
import { expectSame, init, newId, noise, readAll, streamOf, textOf, turn } from './support.ts';

export function describeLog({ it, section }: Suite): void {
  section('append and read', (s) => {
    it('returns appended bytes at once', async () => {
      const id = await streamOf(s.store, 'one ');
      expect(await textOf(s.store, id)).toBe('one ');
      await s.store.append(id, Buffer.from('two'));
      expect(await textOf(s.store, id)).toBe('one two');
    });

    it('keeps the order of appends that are not awaited', async () => {
      const id = await streamOf(s.store);
      const parts = Array.from({ length: 500 }, (_, i) => `${i};`);
      await Promise.all(parts.map((part) => s.store.append(id, Buffer.from(part))));
      expect(await textOf(s.store, id)).toBe(parts.join(''));
    });

    it('resolves the appends of one stream in order', async () => {
      const id = await streamOf(s.store);
      const resolved: number[] = [];
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          s.store.append(id, Buffer.from([i])).then(() => resolved.push(i)),
        ),
      );
      expect(resolved).toEqual(Array.from({ length: 100 }, (_, i) => i));
    });

    it('returns an append once it has resolved, and never less than before', async () => {
      const id = await streamOf(s.store);
      let acknowledged = 0;
      let seen = 0;
      const writing = (async () => {
        for (let i = 0; i < 100; i += 1) {
          await s.store.append(id, Buffer.from('0123456789'));
          acknowledged += 10;
        }
      })();
      while (acknowledged < 1000) {
        const least = acknowledged;
        const { bytes } = await readAll(s.store, id);
        expect(bytes.length).toBeGreaterThanOrEqual(Math.max(least, seen));
        seen = bytes.length;
        await turn();
      }
      await writing;
      expect((await readAll(s.store, id)).bytes).toHaveLength(1000);
    });

    it('keeps every byte value', async () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const id = await streamOf(s.store, all, Buffer.from([0]), Buffer.from([13, 10, 0, 255]));
      expectSame((await readAll(s.store, id)).bytes, Buffer.concat([all, Buffer.from([0, 13, 10, 0, 255])]));
    });

    it('accepts views into larger buffers', async () => {
      const id = await streamOf(s.store);
      const large = new Uint8Array(new TextEncoder().encode('0123456789').buffer);
      await s.store.append(id, large.subarray(3, 6));
      await s.store.append(id, large.subarray(9));
      expect(await textOf(s.store, id)).toBe('3459');
    });

    it('copies the bytes: a buffer may be reused once its append has resolved', async () => {
      const id = await streamOf(s.store);
      const small = Buffer.from('small');
      const big = Buffer.alloc(100_000, 'b');
      await s.store.append(id, small);
      await s.store.append(id, big);
      small.fill('x');
      big.fill('x');
      expect(await textOf(s.store, id)).toBe('small' + 'b'.repeat(100_000));
    });

    it('ignores an empty append', async () => {
      const id = await streamOf(s.store, 'a');
      const before = (await s.store.head(id))!.tail;
      await s.store.append(id, new Uint8Array(0));
      expect((await s.store.head(id))!.tail).toBe(before);
      await s.store.append(id, Buffer.from('b'));
      expect(await textOf(s.store, id)).toBe('ab');
    });

    it('accepts 5 MB in one append and returns it in frames of the requested size', async () => {
      const big = noise(5 * 1024 * 1024);
      const id = await streamOf(s.store, 'head', big, 'tail');
      const wanted = Buffer.concat([Buffer.from('head'), big, Buffer.from('tail')]);
      expectSame((await readAll(s.store, id)).bytes, wanted);
      expectSame((await readAll(s.store, id, '-1', 1_000_003)).bytes, wanted);
    });

    for (const size of [1, 7, 100, 1000, 1999, 2000, 2001, 4096, 65_519, 65_520, 65_521, 65_536, 70_000]) {
      it(`keeps appends of ${size} bytes apart`, async () => {
        const count = Math.min(40, Math.ceil(300_000 / size));
        const parts = Array.from({ length: count }, (_, i) => noise(size, i + 1));
        const id = await streamOf(s.store, ...parts);
        const wanted = Buffer.concat(parts);
        expectSame((await readAll(s.store, id)).bytes, wanted);
        expectSame((await readAll(s.store, id, '-1', 3001)).bytes, wanted);
      });
    }

    it('returns at most the requested bytes, and at least one', async () => {
      const id = await streamOf(s.store, noise(10_000), noise(70_000, 2));
      for (const maxBytes of [1, 2, 999, 65_536, 1_000_000]) {
        const frame = await s.store.read(id, '-1', maxBytes);
        expect(frame.bytes.length).toBeGreaterThan(0);
        expect(frame.bytes.length).toBeLessThanOrEqual(maxBytes);
      }
    });

    it('reports that a frame is up to date exactly when it is', async () => {
      const id = await streamOf(s.store, 'abc', 'def');
      expect((await s.store.read(id, '-1', 2)).upToDate).toBe(false);
      const { next } = await readAll(s.store, id);
      expect(await s.store.read(id, next, 10)).toMatchObject({ upToDate: true, next });
      await s.store.append(id, Buffer.from('g'));
      const last = await s.store.read(id, next, 10);
      expect(Buffer.from(last.bytes).toString()).toBe('g');
      expect(last.upToDate).toBe(true);
    });

    it('reads 20 positions of one stream concurrently', async () => {
      const bytes = noise(200_000);
      const id = newId();
      await s.store.create(id, init());
      for (let at = 0; at < bytes.length; at += 10_000)
        await s.store.append(id, bytes.subarray(at, at + 10_000));
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, i) => readAll(s.store, id, '-1', 5000 + i * 777)),
      );
      for (const one of all) expectSame(one.bytes, bytes);
    });
  });
}
