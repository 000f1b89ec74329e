import { expect } from '../expect.ts';
import type { Suite } from './suite.ts';
import { COMPLETE, expectSame, init, newId, noise, readAll, Tail } from './support.ts';

export function describeMany({ it, section }: Suite): void {
  section('many streams', (s) => {
    it('keeps 1,000 concurrently written and followed streams apart', async () => {
      const streams = Array.from({ length: 1000 }, (_, i) => ({ id: newId(), bytes: noise(200 + i, i + 1) }));
      const read = await Promise.all(
        streams.map(async ({ id, bytes }) => {
          await s.store.create(id, init());
          const tail = await Tail.open(s.store, id);
          const step = Math.ceil(bytes.length / 5);
          for (let at = 0; at < bytes.length; at += step)
            await s.store.append(id, bytes.subarray(at, at + step));
          await s.store.close(id, COMPLETE);
          const followed = await tail.toEnd();
          tail.stop();
          return followed;
        }),
      );
      for (const [i, { bytes }] of streams.entries()) expectSame(read[i]!, bytes);
      for (const { id, bytes } of streams) {
        const content = await readAll(s.store, id);
        expectSame(content.bytes, bytes);
        expect(content.end).toEqual(COMPLETE);
      }
      await Promise.all(streams.map(({ id }) => s.store.delete(id)));
    });

    it('follows one stream 500 times', async () => {
      const id = newId();
      const bytes = noise(20_000);
      await s.store.create(id, init());
      const tails = await Promise.all(Array.from({ length: 500 }, () => Tail.open(s.store, id)));
      for (let at = 0; at < bytes.length; at += 400) await s.store.append(id, bytes.subarray(at, at + 400));
      await s.store.close(id, COMPLETE);
      for (const tail of tails) {
        expectSame(await tail.toEnd(), bytes);
        tail.stop();
      }
    });
  });
}
