import { expect } from '../expect.ts';
import type { Suite } from './suite.ts';
import { COMPLETE, init, newId, readAll, storeError, textOf } from './support.ts';

export function describeCreate({ it, section }: Suite): void {
  section('create and head', (s) => {
    it('creates a stream under an id once', async () => {
      const id = newId();
      expect(await s.store.create(id, init({ contentType: 'text/plain' }))).toBe(true);
      expect(await s.store.create(id, init({ contentType: 'text/html' }))).toBe(false);
      expect((await s.store.head(id))?.contentType).toBe('text/plain');
    });

    it('succeeds for one of 50 concurrent creates of an id', async () => {
      const id = newId();
      const taken = await Promise.all(
        Array.from({ length: 50 }, (_, i) => s.store.create(id, init({ metadata: { by: String(i) } }))),
      );
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect((await s.store.head(id))?.metadata['by']).toBe(String(taken.indexOf(true)));
    });

    it('returns the properties that the stream was created with', async () => {
      const id = newId();
      const made = {
        contentType: 'application/json; charset="utf-8"',
        ttlSeconds: 1234,
        metadata: { subject: 'zoë 🦉', empty: '', 'a-b_c.d': '=&?/,"\\', long: 'x'.repeat(2000) },
      };
      await s.store.create(id, made);
      const info = await s.store.head(id);
      expect(info).toMatchObject(made);
      expect(info?.end).toBeUndefined();
    });

    it('returns false for the id of a closed stream, which is kept', async () => {
      const id = newId();
      await s.store.create(id, init());
      await s.store.append(id, Buffer.from('kept'));
      await s.store.close(id, COMPLETE);
      expect(await s.store.create(id, init())).toBe(false);
      expect(await textOf(s.store, id)).toBe('kept');
    });

    it('accepts every id that the contract allows', async () => {
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
      const unique = newId();
      const ids = ['-' + unique.slice(1), alphabet + unique, ('_' + unique).padEnd(128, 'z'), 'Q'];
      for (const id of ids) {
        await s.store.delete(id);
        expect(await s.store.create(id, init()), id).toBe(true);
        await s.store.append(id, Buffer.from(id));
      }
      for (const id of ids) expect(await textOf(s.store, id)).toBe(id);
      for (const id of ids) expect(await s.store.delete(id)).toBe(true);
    });

    it('distinguishes ids with a common prefix or different case', async () => {
      const id = newId().replaceAll('-', '');
      const ids = [id, `${id}-`, `${id}0`, id.toUpperCase() + 'x', id.toLowerCase() + 'x'];
      for (const one of ids) expect(await s.store.create(one, init()), one).toBe(true);
      await Promise.all(ids.map((one) => s.store.append(one, Buffer.from(`<${one}>`))));
      for (const one of ids) expect(await textOf(s.store, one)).toBe(`<${one}>`);
    });

    it('starts with an empty stream', async () => {
      const id = newId();
      await s.store.create(id, init());
      const { tail } = (await s.store.head(id))!;
      for (const offset of ['-1', tail]) {
        const frame = await s.store.read(id, offset, 10);
        expect(frame).toMatchObject({ next: tail, upToDate: true });
        expect(frame.bytes).toHaveLength(0);
        expect(frame.end).toBeUndefined();
      }
    });

    it('rejects operations on unknown ids', async () => {
      const id = newId();
      expect(await s.store.head(id)).toBeUndefined();
      expect(await s.store.delete(id)).toBe(false);
      await expect(s.store.append(id, Buffer.from('x'))).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(s.store.close(id, COMPLETE)).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(s.store.read(id, '-1', 10)).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(s.store.follow(id, '-1', () => {})).rejects.toEqual(storeError('NOT_FOUND'));
    });

    it('keeps streams when open is called again', async () => {
      const id = newId();
      await s.store.create(id, init());
      await s.store.append(id, Buffer.from('still here'));
      await s.store.open();
      await s.store.append(id, Buffer.from(', still open'));
      expect(await readAll(s.store, id)).toMatchObject({ bytes: Buffer.from('still here, still open') });
    });
  });
}
