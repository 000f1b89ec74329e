import { expect } from '../expect.ts';
import { OUTCOMES } from '../../../protocol/outcomes.ts';
import type { Usage } from '../../../protocol/usage.ts';
import type { StreamEnd } from '../../store/types.ts';
import type { Suite } from './suite.ts';
import { COMPLETE, readAll, storeError, streamOf, Tail, textOf, turn } from './support.ts';

const ABORTED: StreamEnd = {
  outcome: 'aborted',
  error: { code: 'ABORTED', message: 'stopped – 中断 "by" \\hand' },
};

export function describeEnd({ it, section }: Suite): void {
  section('close', (s) => {
    for (const outcome of OUTCOMES) {
      it(`keeps the outcome ${outcome} with its reason and usage`, async () => {
        const usage: Usage = { format: 'gemini', model: 'modèle "x"', outputTokens: 3 };
        const end: StreamEnd =
          outcome === 'complete'
            ? { outcome, usage }
            : { outcome, error: { code: 'SOME_CODE', message: `why ${outcome}` }, usage };
        const id = await streamOf(s.store, 'body');
        expect(await s.store.close(id, end)).toEqual(end);
        expect((await s.store.head(id))?.end).toEqual(end);
        expect((await readAll(s.store, id)).end).toEqual(end);
        const tail = await Tail.open(s.store, id);
        expect((await tail.toEnd()).toString()).toBe('body');
        expect(tail.end).toEqual(end);
        tail.stop();
      });
    }

    it('adds the last bytes', async () => {
      const id = await streamOf(s.store, 'first ');
      await s.store.close(id, COMPLETE, Buffer.from('last'));
      expect(await readAll(s.store, id)).toMatchObject({ bytes: Buffer.from('first last'), end: COMPLETE });
    });

    it('closes an empty stream, with and without last bytes', async () => {
      const empty = await streamOf(s.store);
      await s.store.close(empty, ABORTED);
      const frame = await s.store.read(empty, '-1', 10);
      expect(frame.bytes).toHaveLength(0);
      expect(frame).toMatchObject({ upToDate: true, end: ABORTED });

      const whole = await streamOf(s.store);
      await s.store.close(whole, COMPLETE, Buffer.from('all of it'));
      expect(await readAll(s.store, whole)).toMatchObject({ bytes: Buffer.from('all of it'), end: COMPLETE });
    });

    it('treats empty last bytes as none', async () => {
      const id = await streamOf(s.store, 'x');
      await s.store.close(id, COMPLETE, new Uint8Array(0));
      expect(await readAll(s.store, id)).toMatchObject({ bytes: Buffer.from('x'), end: COMPLETE });
    });

    it('reports the end at the final offset, and not before', async () => {
      const id = await streamOf(s.store, 'abcdef');
      await s.store.close(id, COMPLETE);
      const early = await s.store.read(id, '-1', 3);
      expect(early.end).toBeUndefined();
      const last = await s.store.read(id, early.next, 3);
      expect(last).toMatchObject({ upToDate: true, end: COMPLETE });
      const behind = await s.store.read(id, last.next, 3);
      expect(behind.bytes).toHaveLength(0);
      expect(behind).toMatchObject({ next: last.next, upToDate: true, end: COMPLETE });
    });

    it('reports the end to readers while others follow', async () => {
      const id = await streamOf(s.store);
      const tails = await Promise.all([Tail.open(s.store, id), Tail.open(s.store, id, '-1', 2)]);
      await s.store.append(id, Buffer.from('one'));
      await s.store.append(id, Buffer.from('two'));
      const early = await s.store.read(id, '-1', 3);
      expect(early.upToDate).toBe(false);
      await s.store.close(id, COMPLETE);
      expect(await readAll(s.store, id)).toMatchObject({ bytes: Buffer.from('onetwo'), end: COMPLETE });
      expect(await readAll(s.store, id, early.next)).toMatchObject({
        bytes: Buffer.from('two'),
        end: COMPLETE,
      });
      for (const tail of tails) {
        expect((await tail.toEnd()).toString()).toBe('onetwo');
        tail.stop();
      }
    });

    it('appends its last bytes and closes in one step: no reader sees them without the end', async () => {
      for (let round = 0; round < 20; round += 1) {
        const id = await streamOf(s.store, 'body ');
        const { tail: before } = (await s.store.head(id))!;
        const tail = await Tail.open(s.store, id);
        let closed = false;
        const closing = s.store.close(id, COMPLETE, Buffer.from('LAST')).then(() => (closed = true));
        while (!closed) {
          await turn();
          const { bytes, end } = await readAll(s.store, id);
          expect(bytes.toString()).toBe(end ? 'body LAST' : 'body ');
          const info = (await s.store.head(id))!;
          expect(info.tail > before).toBe(info.end !== undefined);
        }
        await closing;
        expect((await tail.toEnd()).toString()).toBe('body LAST');
        const withLast = tail.frames.find((frame) => Buffer.from(frame.bytes).includes('LAST'));
        expect(withLast?.end).toEqual(COMPLETE);
        tail.stop();
      }
    });

    it('is idempotent: the first end is kept, later bytes are dropped', async () => {
      const id = await streamOf(s.store, 'body');
      expect(await s.store.close(id, ABORTED, Buffer.from('.'))).toEqual(ABORTED);
      expect(await s.store.close(id, COMPLETE, Buffer.from('dropped'))).toEqual(ABORTED);
      expect(await readAll(s.store, id)).toMatchObject({ bytes: Buffer.from('body.'), end: ABORTED });
    });

    it('keeps one of 20 concurrent closes, and returns it to all of them', async () => {
      const id = await streamOf(s.store, 'body');
      const ends = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          s.store.close(
            id,
            { outcome: 'aborted', error: { code: `C${i}`, message: 'm' } },
            Buffer.from(`<${i}>`),
          ),
        ),
      );
      expect(new Set(ends.map((end) => end.error!.code)).size).toBe(1);
      const winner = ends[0]!.error!.code.slice(1);
      expect(await textOf(s.store, id)).toBe(`body<${winner}>`);
    });

    it('rejects appends afterwards', async () => {
      const id = await streamOf(s.store, 'body');
      await s.store.close(id, COMPLETE);
      await expect(s.store.append(id, Buffer.from('late'))).rejects.toEqual(storeError('CLOSED'));
      expect(await textOf(s.store, id)).toBe('body');
    });

    it('follows the appends that were called before it', async () => {
      const id = await streamOf(s.store);
      const before = Array.from({ length: 50 }, (_, i) => s.store.append(id, Buffer.from(`${i},`)));
      const closing = s.store.close(id, COMPLETE, Buffer.from('end'));
      const late = s.store.append(id, Buffer.from('late'));
      await expect(late).rejects.toEqual(storeError('CLOSED'));
      await Promise.all([...before, closing]);
      expect(await textOf(s.store, id)).toBe(Array.from({ length: 50 }, (_, i) => `${i},`).join('') + 'end');
    });
  });
}
