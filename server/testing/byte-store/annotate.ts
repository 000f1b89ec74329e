import { expect } from '../expect.ts';
import type { Suite } from './suite.ts';
import { COMPLETE, init, newId, storeError, Tail, textOf } from './support.ts';

/** Metadata of a stream to which the head of a response is added. */
const PENDING = init({ contentType: '', metadata: { owner: 'a process', pending: '1' } });
const HEAD = { status: '200', headers: '[["x-name","zo\\u00eb 🦉"]]' };

export function describeAnnotate({ it, section }: Suite): void {
  section('annotate', (s) => {
    it('adds entries to the metadata', async () => {
      const id = newId();
      await s.store.create(id, PENDING);
      await s.store.annotate!(id, HEAD);
      const known = { ...PENDING.metadata, ...HEAD };
      expect((await s.store.head(id))?.metadata).toEqual(known);
      const tail = await Tail.open(s.store, id);
      expect(tail.follower.info.metadata).toEqual(known);
      expect(tail.follower.metadata).toEqual(known);
      tail.stop();
    });

    it('replaces an entry of the same name', async () => {
      const id = newId();
      await s.store.create(id, PENDING);
      await s.store.annotate!(id, { status: '200', a: '1' });
      await s.store.annotate!(id, { status: '429' });
      expect((await s.store.head(id))?.metadata).toEqual({ ...PENDING.metadata, status: '429', a: '1' });
    });

    it('adds no bytes, and keeps existing ones', async () => {
      const id = newId();
      await s.store.create(id, PENDING);
      await s.store.append(id, Buffer.from('before, '));
      await s.store.annotate!(id, HEAD);
      await s.store.append(id, Buffer.from('after'));
      expect(await textOf(s.store, id)).toBe('before, after');
      await s.store.close(id, COMPLETE);
      expect(await s.store.head(id)).toMatchObject({ metadata: HEAD, end: COMPLETE });
    });

    it('wakes waiting followers', async () => {
      const id = newId();
      await s.store.create(id, PENDING);
      const tails = await Promise.all([Tail.open(s.store, id), Tail.open(s.store, id)]);
      const before = tails.map((tail) => tail.follower.metadata);
      expect(before[0]).toEqual(PENDING.metadata);
      await s.store.annotate!(id, HEAD);
      for (const tail of tails) {
        await tail.until(({ follower }) => follower.metadata['status'] === '200');
        expect(tail.frames).toEqual([]);
        // Not changed in place: callers compare the object with an earlier one.
        expect(before[0]).toEqual(PENDING.metadata);
        expect(tail.follower.metadata).toBe(tail.follower.metadata);
      }
      await s.store.close(id, COMPLETE, Buffer.from('the end'));
      for (const tail of tails) expect((await tail.toEnd()).toString()).toBe('the end');
    });

    it('is visible to a follower before the bytes that were appended after it', async () => {
      const id = newId();
      await s.store.create(id, PENDING);
      const tail = await Tail.open(s.store, id);
      await s.store.annotate!(id, HEAD);
      await s.store.append(id, Buffer.from('body'));
      await tail.until(({ bytes }) => bytes.length > 0);
      expect(tail.follower.metadata).toMatchObject(HEAD);
      tail.stop();
    });

    it('has no effect on a closed stream', async () => {
      const id = newId();
      await s.store.create(id, PENDING);
      await s.store.close(id, COMPLETE);
      await s.store.annotate!(id, HEAD);
      expect((await s.store.head(id))?.metadata).toEqual(PENDING.metadata);
    });

    it('rejects with NOT_FOUND if the stream does not exist', async () => {
      await expect(s.store.annotate!(newId(), HEAD)).rejects.toEqual(storeError('NOT_FOUND'));
    });

    it('survives a restart', async () => {
      const id = newId();
      await s.store.create(id, PENDING);
      await s.store.annotate!(id, HEAD);
      await s.reopen();
      expect((await s.store.head(id))?.metadata).toEqual({ ...PENDING.metadata, ...HEAD });
    });
  });
}
