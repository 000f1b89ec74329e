import { expect } from '../expect.ts';
import type { Offset, StreamStore } from '../../store/types.ts';
import type { Suite } from './suite.ts';
import { COMPLETE, expectSame, noise, readAll, storeError, streamOf, Tail } from './support.ts';

/** Returns the offset before each byte and the offset after the last one, by reading one byte at a time. */
async function everyOffset(store: StreamStore, id: string, length: number): Promise<Offset[]> {
  const offsets: Offset[] = ['-1'];
  for (let i = 0; i < length; i += 1) offsets.push((await store.read(id, offsets[i]!, 1)).next);
  return offsets;
}

export function describeOffsets({ it, section }: Suite): void {
  section('offsets', (s) => {
    it('are exact at every byte, whatever the sizes of the appends', async () => {
      const sizes = [1, 1, 2, 3, 50, 7, 1, 120, 16];
      const parts = sizes.map((size, i) => noise(size, i + 1));
      const bytes = Buffer.concat(parts);
      const id = await streamOf(s.store, ...parts);
      const offsets = await everyOffset(s.store, id, bytes.length);
      expect(offsets.at(-1)).toBe((await s.store.head(id))!.tail);
      for (const [i, offset] of offsets.entries()) {
        expectSame((await readAll(s.store, id, offset)).bytes, bytes.subarray(i));
      }
    });

    it('convert to byte positions and back if the store supports it', async () => {
      const parts = [noise(1), noise(300, 2), noise(70_000, 3)];
      const id = await streamOf(s.store, ...parts);
      const { positionOf, offsetAt } = s.store;
      // Both methods or neither: a byte range needs both conversions.
      expect(typeof positionOf).toBe(typeof offsetAt);
      const { next } = await s.store.read(id, '-1', 1_234);
      if (!s.store.positionOf || !s.store.offsetAt) return;
      expect(s.store.positionOf(next)).toBe((await s.store.read(id, '-1', 1_234)).bytes.length);
      expect(s.store.positionOf((await s.store.head(id))!.tail)).toBe(70_301);
      const bytes = Buffer.concat(parts);
      for (const position of [0, 1, 300, 301, 302, 70_300, 70_301]) {
        const offset = s.store.offsetAt(position);
        expect(s.store.positionOf(offset)).toBe(position);
        expectSame((await readAll(s.store, id, offset)).bytes, bytes.subarray(position));
      }
    });

    it('increase as text, and fit into a query and a header', async () => {
      const id = await streamOf(s.store, noise(30), noise(400, 2));
      const offsets = (await everyOffset(s.store, id, 430)).slice(1);
      for (const [i, offset] of offsets.entries()) {
        expect(offset).toMatch(/^[^,&=?/\s]{1,255}$/);
        expect(['-1', 'now']).not.toContain(offset);
        if (i > 0) expect(offset > offsets[i - 1]!).toBe(true);
      }
    });

    it('continue when more is appended, and when the stream is closed', async () => {
      const first = noise(3000, 1);
      const id = await streamOf(s.store, first);
      const middle = (await s.store.read(id, '-1', 1234)).next;
      const second = noise(90_000, 2);
      await s.store.append(id, second);
      const whole = Buffer.concat([first, second]);
      expectSame((await readAll(s.store, id, middle)).bytes, whole.subarray(1234));
      await s.store.close(id, COMPLETE, Buffer.from('!'));
      const rest = await readAll(s.store, id, middle);
      expectSame(rest.bytes, Buffer.concat([whole.subarray(1234), Buffer.from('!')]));
      expect(rest.end).toEqual(COMPLETE);
    });

    it('are the same for every way of reading', async () => {
      const id = await streamOf(s.store, noise(500), noise(500, 2), noise(500, 3));
      const steps = async (size: number): Promise<Offset> => {
        let offset: Offset = '-1';
        for (let left = 600; left > 0;) {
          const frame = await s.store.read(id, offset, Math.min(size, left));
          left -= frame.bytes.length;
          offset = frame.next;
        }
        return offset;
      };
      const [a, b, c] = await Promise.all([steps(1), steps(7), steps(600)]);
      expect(a).toBe(b);
      expect(a).toBe(c);
    });

    it('have the same meaning in follow and in read', async () => {
      const bytes = noise(600);
      const id = await streamOf(s.store, bytes.subarray(0, 200), bytes.subarray(200));
      const offsets = await everyOffset(s.store, id, 600);
      await s.store.close(id, COMPLETE);
      for (const i of [0, 1, 199, 200, 201, 345, 599, 600]) {
        const tail = await Tail.open(s.store, id, offsets[i]!);
        expectSame(await tail.toEnd(), bytes.subarray(i));
        expect(tail.frames.at(-1)!.next).toBe(offsets[600]);
        tail.stop();
      }
    });

    for (const offset of [
      '',
      'x',
      'now',
      '-2',
      '-1 ',
      ' ',
      '1.5',
      '0x10',
      'NaN',
      '../..',
      'a,b',
      'a=b',
      '9'.repeat(300),
    ]) {
      it(`are rejected if malformed: ${JSON.stringify(offset)}`, async () => {
        const id = await streamOf(s.store, 'bytes');
        await expect(s.store.read(id, offset, 10)).rejects.toEqual(storeError('INVALID_OFFSET'));
        await expect(s.store.follow(id, offset, () => {})).rejects.toEqual(storeError('INVALID_OFFSET'));
      });
    }

    it('after the end of the stream never return bytes', async () => {
      const long = await streamOf(s.store, noise(5000));
      const short = await streamOf(s.store, 'short');
      const beyond = (await s.store.head(long))!.tail;
      const frame = await s.store.read(short, beyond, 10).catch((error: unknown) => error);
      if (frame instanceof Error) expect(frame).toEqual(storeError('INVALID_OFFSET'));
      else expect(frame).toMatchObject({ bytes: { length: 0 } });
    });
  });
}
