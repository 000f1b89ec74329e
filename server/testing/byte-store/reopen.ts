import { expect } from '../expect.ts';
import { OUTCOMES } from '../../../protocol/outcomes.ts';
import type { StreamEnd } from '../../store/types.ts';
import type { Suite } from './suite.ts';
import {
  COMPLETE,
  expectSame,
  init,
  newId,
  noise,
  readAll,
  storeError,
  streamOf,
  Tail,
  textOf,
} from './support.ts';

export function describeReopen({ it, section }: Suite): void {
  section('reopening', (s) => {
    it('keeps bytes, metadata, outcomes and offsets', async () => {
      const kept = await Promise.all(
        OUTCOMES.map(async (outcome, i) => {
          const id = newId();
          const made = init({
            contentType: `text/x-${outcome}`,
            ttlSeconds: 1000 + i,
            metadata: { outcome, s: '✓' },
          });
          await s.store.create(id, made);
          const bytes = noise(10_000 * i, i + 1);
          await s.store.append(id, bytes.subarray(0, 5000));
          const middle = (await readAll(s.store, id)).next;
          const end: StreamEnd =
            outcome === 'complete' ? { outcome } : { outcome, error: { code: 'WHY', message: 'because' } };
          await s.store.close(id, end, bytes.subarray(5000));
          return { id, bytes, middle, info: (await s.store.head(id))!, made, end };
        }),
      );
      await s.reopen();
      for (const { id, bytes, middle, info, made, end } of kept) {
        expect(await s.store.head(id)).toEqual(info);
        expect(info).toMatchObject({ ...made, end });
        expectSame((await readAll(s.store, id)).bytes, bytes);
        expectSame((await readAll(s.store, id, middle)).bytes, bytes.subarray(5000));
        expect(await s.store.create(id, init())).toBe(false);
        expect(await s.store.close(id, COMPLETE)).toEqual(end);
      }
    });

    it('does not restore deleted streams', async () => {
      const id = await streamOf(s.store, 'secret');
      await s.store.delete(id);
      const again = await streamOf(s.store, 'x');
      await s.store.delete(again);
      await s.store.create(again, init());
      await s.store.close(again, COMPLETE, Buffer.from('second'));
      await s.reopen();
      expect(await s.store.head(id)).toBeUndefined();
      expect(await textOf(s.store, again)).toBe('second');
    });

    it('closes data streams as interrupted if no other process can be writing', async () => {
      const bytes = noise(7000);
      const ids = await Promise.all(
        Array.from({ length: 5 }, (_, i) => streamOf(s.store, bytes.subarray(0, 1400 * i))),
      );
      await s.reopen();
      for (const [i, id] of ids.entries()) {
        const content = await readAll(s.store, id);
        expectSame(content.bytes, bytes.subarray(0, 1400 * i));
        expect(content.next).toBe((await s.store.head(id))!.tail);
        if (s.options.exclusive) {
          const end = { outcome: 'interrupted', error: { code: 'INTERRUPTED' } };
          expect(content.end).toMatchObject(end);
          expect(content.end?.error?.message).toMatch(/./);
          await expect(s.store.append(id, Buffer.from('x'))).rejects.toEqual(storeError('CLOSED'));
          const tail = await Tail.open(s.store, id);
          expectSame(await tail.toEnd(), bytes.subarray(0, 1400 * i));
          tail.stop();
        } else {
          expect(content.end).toBeUndefined();
          await s.store.append(id, Buffer.from('more'));
          expect((await readAll(s.store, id, content.next)).bytes.toString()).toBe('more');
        }
      }
    });

    it('leaves logs that outlive their process open, and appends continue after their last byte', async () => {
      const id = `key-${newId()}`;
      await s.store.create(id, init({ outlivesProcess: true }));
      await s.store.append(id, Buffer.from('one,'));
      const at = (await s.store.head(id))!.tail;
      for (const word of ['two,', 'three,']) {
        await s.reopen();
        expect((await s.store.head(id))?.end).toBeUndefined();
        await s.store.append(id, Buffer.from(word));
      }
      expect(await textOf(s.store, id)).toBe('one,two,three,');
      expect(await textOf(s.store, id, at)).toBe('two,three,');
      const tail = await Tail.open(s.store, id);
      await s.store.close(id, COMPLETE);
      expect((await tail.toEnd()).toString()).toBe('one,two,three,');
      tail.stop();
    });

    it('keeps a stream without appends', async () => {
      const id = newId();
      await s.store.create(id, init({ outlivesProcess: true, metadata: { a: 'b' } }));
      await s.reopen();
      expect(await s.store.head(id)).toMatchObject({ metadata: { a: 'b' } });
    });

    it('rejects all calls after dispose, and wakes followers', async () => {
      const id = await streamOf(s.store, 'x');
      const old = s.store;
      const tail = await Tail.open(old, id);
      await tail.until((t) => t.bytes.length === 1);
      await s.reopen();
      await expect(tail.toEnd()).rejects.toEqual(storeError('UNAVAILABLE'));
      tail.stop();
      await expect(old.append(id, Buffer.from('y'))).rejects.toEqual(storeError('UNAVAILABLE'));
      await expect(old.create(newId(), init())).rejects.toEqual(storeError('UNAVAILABLE'));
      await expect(old.close(id, COMPLETE)).rejects.toEqual(storeError('UNAVAILABLE'));
      await expect(old.read(id, '-1', 10)).rejects.toEqual(storeError('UNAVAILABLE'));
      await expect(old.follow(id, '-1', () => {})).rejects.toEqual(storeError('UNAVAILABLE'));
      await expect(old.head(id)).rejects.toEqual(storeError('UNAVAILABLE'));
      await expect(old.delete(id)).rejects.toEqual(storeError('UNAVAILABLE'));
      await old.dispose();
    });

    it('keeps writes that were called before dispose', async () => {
      const id = newId();
      await s.store.create(id, init({ outlivesProcess: true }));
      const appends = Array.from({ length: 100 }, (_, i) => s.store.append(id, Buffer.from(`${i} `)));
      const reopened = s.reopen();
      const settled = await Promise.allSettled(appends);
      await reopened;
      const kept = settled.filter((one) => one.status === 'fulfilled').length;
      const text = await textOf(s.store, id);
      expect(text.startsWith(Array.from({ length: kept }, (_, i) => `${i} `).join(''))).toBe(true);
    });
  });
}
