import { expect } from '../expect.ts';
import type { Suite } from './suite.ts';
import { COMPLETE, init, newId, storeError, streamOf, textOf } from './support.ts';

export function describeFence({ it, section }: Suite): void {
  section('fencing', (s) => {
    const adopt = (id: string, fence: number, metadata = {}) => s.store.adopt!(id, fence, metadata);

    it('starts at 0, and permits its holder to append and close', async () => {
      const id = await streamOf(s.store);
      expect((await s.store.head(id))?.fence).toBe(0);
      await s.store.append(id, Buffer.from('one '), 0);
      expect(await s.store.close(id, COMPLETE, Buffer.from('two'), 0)).toEqual(COMPLETE);
      expect(await textOf(s.store, id)).toBe('one two');
    });

    it('is raised by an adoption, which adds entries to the metadata', async () => {
      const id = newId();
      await s.store.create(id, init({ metadata: { owner: 'a', kept: 'yes' } }));
      expect(await adopt(id, 0, { owner: 'b' })).toBe(1);
      expect(await s.store.head(id)).toMatchObject({
        fence: 1,
        metadata: { owner: 'b', kept: 'yes' },
        ttlSeconds: 3600,
      });
      expect(await adopt(id, 1, { owner: 'c' })).toBe(2);
    });

    it('rejects the former holder, which writes nothing and closes nothing', async () => {
      const id = await streamOf(s.store, 'a ');
      await s.store.append(id, Buffer.from('a '), 0);
      const fence = await adopt(id, 0);
      await s.store.append(id, Buffer.from('b '), fence);
      await expect(s.store.append(id, Buffer.from('late'), 0)).rejects.toEqual(storeError('FENCED'));
      await expect(s.store.close(id, COMPLETE, Buffer.from('late'), 0)).rejects.toEqual(storeError('FENCED'));
      expect((await s.store.head(id))?.end).toBeUndefined();
      await s.store.close(id, COMPLETE, Buffer.from('end'), fence);
      expect(await textOf(s.store, id)).toBe('a a b end');
    });

    it('rejects the former holder before the new one has written', async () => {
      const id = await streamOf(s.store);
      await adopt(id, 0);
      await expect(s.store.append(id, Buffer.from('late'), 0)).rejects.toEqual(storeError('FENCED'));
      await expect(s.store.close(id, COMPLETE, undefined, 0)).rejects.toEqual(storeError('FENCED'));
      expect(await textOf(s.store, id)).toBe('');
    });

    it('rejects metadata entries of the former holder, and keeps those of the new one', async () => {
      const id = newId();
      await s.store.create(id, init({ metadata: { state: 'before' } }));
      await s.store.annotate!(id, { state: 'first' }, 0);
      const fence = await adopt(id, 0, { owner: 'b' });
      await expect(s.store.annotate!(id, { state: 'late' }, 0)).rejects.toEqual(storeError('FENCED'));
      expect((await s.store.head(id))?.metadata).toEqual({ owner: 'b', state: 'first' });
      await s.store.annotate!(id, { state: 'second' }, fence);
      await s.reopen();
      expect((await s.store.head(id))?.metadata).toEqual({ owner: 'b', state: 'second' });
      await s.store.close(id, COMPLETE);
      await s.store.annotate!(id, { state: 'too late' }, 0);
      expect((await s.store.head(id))?.metadata).toEqual({ owner: 'b', state: 'second' });
    });

    it('permits one of ten adoptions with the same fence', async () => {
      const id = await streamOf(s.store, 'x');
      const adopted = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) => adopt(id, 0, { owner: String(i) })),
      );
      const winners = adopted.flatMap(({ status }, i) => (status === 'fulfilled' ? [String(i)] : []));
      expect(winners).toHaveLength(1);
      for (const one of adopted)
        if (one.status === 'rejected') expect(one.reason).toEqual(storeError('FENCED'));
      expect(await s.store.head(id)).toMatchObject({ fence: 1, metadata: { owner: winners[0] } });
    });

    it('is not compared for a writer without one, nor after the stream is closed', async () => {
      const id = await streamOf(s.store, 'a');
      await adopt(id, 0);
      await s.store.append(id, Buffer.from('b'));
      await s.store.annotate!(id, { aborted: 'yes' });
      await s.store.close(id, COMPLETE);
      expect(await s.store.close(id, { outcome: 'aborted' }, undefined, 0)).toEqual(COMPLETE);
    });

    it('cannot be raised on a stream that is closed or does not exist', async () => {
      const id = await streamOf(s.store, 'a');
      await s.store.close(id, COMPLETE);
      await expect(adopt(id, 0)).rejects.toEqual(storeError('CLOSED'));
      await expect(adopt(newId(), 0)).rejects.toEqual(storeError('NOT_FOUND'));
      const again = await streamOf(s.store, 'a');
      await adopt(again, 0);
      await expect(adopt(again, 0)).rejects.toEqual(storeError('FENCED'));
    });

    it('survives a restart', async () => {
      const id = await streamOf(s.store, 'a');
      await adopt(id, 0, { owner: 'b' });
      await s.reopen();
      expect(await s.store.head(id)).toMatchObject({ fence: 1, metadata: { owner: 'b' } });
    });
  });
}
