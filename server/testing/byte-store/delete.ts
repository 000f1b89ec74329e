import { expect } from '../expect.ts';
import type { Suite } from './suite.ts';
import {
  COMPLETE,
  init,
  newId,
  noise,
  readAll,
  storeError,
  streamOf,
  Tail,
  textOf,
  turn,
} from './support.ts';

export function describeDelete({ it, section }: Suite): void {
  section('delete', (s) => {
    it('removes a stream, once', async () => {
      const id = await streamOf(s.store, 'bytes');
      expect(await s.store.delete(id)).toBe(true);
      expect(await s.store.delete(id)).toBe(false);
      expect(await s.store.head(id)).toBeUndefined();
      await expect(s.store.read(id, '-1', 10)).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(s.store.append(id, Buffer.from('x'))).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(s.store.close(id, COMPLETE)).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(s.store.follow(id, '-1', () => {})).rejects.toEqual(storeError('NOT_FOUND'));
    });

    it('returns true to one of 20 concurrent callers', async () => {
      const id = await streamOf(s.store, 'bytes');
      const gone = await Promise.all(Array.from({ length: 20 }, () => s.store.delete(id)));
      expect(gone.filter(Boolean)).toHaveLength(1);
    });

    it('removes closed streams as well as open ones', async () => {
      const id = await streamOf(s.store, 'bytes');
      await s.store.close(id, COMPLETE);
      expect(await s.store.delete(id)).toBe(true);
      expect(await s.store.head(id)).toBeUndefined();
    });

    it('frees the id for a new stream without content of the old one', async () => {
      const id = newId();
      for (let round = 0; round < 5; round += 1) {
        expect(await s.store.create(id, init({ metadata: { round: String(round) } }))).toBe(true);
        expect(await s.store.head(id)).toMatchObject({ metadata: { round: String(round) } });
        expect((await readAll(s.store, id)).bytes).toHaveLength(0);
        await s.store.append(id, noise(3000 * (5 - round), round + 1));
        if (round % 2) await s.store.close(id, COMPLETE);
        expect((await readAll(s.store, id)).bytes.equals(noise(3000 * (5 - round), round + 1))).toBe(true);
        expect(await s.store.delete(id)).toBe(true);
      }
    });

    it('may be followed by a create without waiting', async () => {
      const id = await streamOf(s.store, 'old');
      const [gone, taken] = await Promise.all([s.store.delete(id), s.store.create(id, init())]);
      expect(gone).toBe(true);
      if (!taken) expect(await s.store.create(id, init())).toBe(true);
      await s.store.append(id, Buffer.from('new'));
      expect(await textOf(s.store, id)).toBe('new');
    });

    it('notifies followers at the tail', async () => {
      const id = await streamOf(s.store, 'bytes');
      const tails = await Promise.all([Tail.open(s.store, id), Tail.open(s.store, id)]);
      await Promise.all(tails.map((tail) => tail.until((t) => t.bytes.length === 5)));
      await s.store.delete(id);
      for (const tail of tails) {
        await expect(tail.toEnd()).rejects.toEqual(storeError('NOT_FOUND'));
        tail.stop();
      }
    });

    it('notifies followers in the middle', async () => {
      const id = await streamOf(s.store, noise(500_000));
      const follower = await s.store.follow(id, '-1', () => {}, 1000);
      await s.store.delete(id);
      // Fetched bytes may still arrive; then the failure follows, and never an end.
      await expect(
        (async () => {
          for (;;) {
            const frame = follower.next();
            expect(frame?.end).toBeUndefined();
            if (!frame) await turn();
          }
        })(),
      ).rejects.toEqual(storeError('NOT_FOUND'));
      follower.stop();
    });

    it('stops active readers and writers', async () => {
      const id = await streamOf(s.store, noise(100_000));
      const work = Array.from({ length: 8 }, async (_, i) => {
        for (;;) {
          if (i % 2) await s.store.append(id, Buffer.from('more'));
          else await readAll(s.store, id, '-1', 10_000);
          await turn();
        }
      });
      const outcome = Promise.allSettled(work);
      expect(await s.store.delete(id)).toBe(true);
      for (const one of await outcome) {
        expect(one).toMatchObject({ status: 'rejected', reason: storeError('NOT_FOUND') });
      }
      expect(await s.store.head(id)).toBeUndefined();
    });

    it('removes only its own stream', async () => {
      const ids = await Promise.all(Array.from({ length: 30 }, (_, i) => streamOf(s.store, `stream ${i}`)));
      await Promise.all(ids.filter((_, i) => i % 2 === 0).map((id) => s.store.delete(id)));
      for (const [i, id] of ids.entries()) {
        if (i % 2 === 0) expect(await s.store.head(id)).toBeUndefined();
        else expect(await textOf(s.store, id)).toBe(`stream ${i}`);
      }
    });
  });
}
