import { expect } from '../expect.ts';
import { randomUUID } from 'node:crypto';
import type { Outbox, TakenTask, Task } from '../../coordination/types.ts';
import { TAKEN_MS } from '../../coordination/times.ts';
import { until, type Suite } from './support.ts';

export function describeOutbox({ it, section, exclusive }: Suite): void {
  const task = (changes: Partial<Task> = {}): Task => ({
    id: randomUUID(),
    payload: `what to do, with "quotes" and zoë 🦉 ${randomUUID()}`,
    delayMs: -1_000,
    ...changes,
  });

  /** Takes all due tasks, and removes them. */
  const takeAll = async (outbox: Outbox): Promise<TakenTask[]> => {
    const taken: TakenTask[] = [];
    for (let next = await outbox.take(); next; next = await outbox.take()) {
      taken.push(next);
      await next.done();
    }
    return taken;
  };

  section('the outbox', (s) => {
    it('returns nothing while it is empty', async () => {
      expect(await s.a.outbox.take()).toBeUndefined();
    });

    it('passes a task of one process to another', async () => {
      const one = task({ payload: 'x'.repeat(16_384) });
      await s.a.outbox.add(one);
      const taken = await s.b.outbox.take();
      expect(taken).toMatchObject({ id: one.id, payload: one.payload, attempts: 1 });
      expect(await s.a.outbox.take()).toBeUndefined();
      expect(await taken!.done()).toBe(true);
      expect(await s.a.outbox.take()).toBeUndefined();
    });

    it('returns the task that has been due longest first, and none before its time', async () => {
      const tasks = [30_000, 10_000, 20_000].map((ago) => task({ delayMs: -ago }));
      const later = task({ delayMs: 60_000 });
      for (const one of [...tasks, later]) await s.a.outbox.add(one);
      const ids = (await takeAll(s.b.outbox)).map(({ id }) => id);
      expect(ids).toEqual([tasks[0]!.id, tasks[2]!.id, tasks[1]!.id]);
    });

    it('keeps one task for an id', async () => {
      const one = task();
      await s.a.outbox.add(one);
      await s.b.outbox.add({ ...one, payload: 'another' });
      expect((await takeAll(s.a.outbox)).map(({ payload }) => payload)).toEqual([one.payload]);
    });

    it('passes each of 10 tasks to exactly one of two concurrent processes', async () => {
      const tasks = Array.from({ length: 10 }, () => task());
      for (const one of tasks) await s.a.outbox.add(one);
      const taken = await Promise.all([s.a, s.b, s.a, s.b].map(({ outbox }) => takeAll(outbox)));
      const ids = taken.flat().map(({ id }) => id);
      expect(ids.sort()).toEqual(tasks.map(({ id }) => id).sort());
    });

    it('returns a task again at the requested time', async () => {
      const one = task();
      await s.a.outbox.add(one);
      expect(await (await s.a.outbox.take())!.retry(60_000)).toBe(true);
      expect(await s.b.outbox.take()).toBeUndefined();
      const soon = task();
      await s.a.outbox.add(soon);
      const first = (await s.a.outbox.take())!;
      expect(await first.retry(-1)).toBe(true);
      const second = (await s.b.outbox.take())!;
      expect(second).toMatchObject({ id: soon.id, attempts: 2 });
      // The first process has lost it.
      for (const late of [first.done, first.extend, () => first.retry(0)]) expect(await late()).toBe(false);
      expect(await second.extend()).toBe(true);
      expect(await second.done()).toBe(true);
      expect(await second.done()).toBe(false);
    });

    it(
      'keeps tasks over a restart',
      async () => {
        const [one, taken] = [task(), task({ delayMs: -5_000 })];
        await s.a.outbox.add(taken);
        await s.a.outbox.add(one);
        expect((await s.a.outbox.take())?.id).toBe(taken.id);
        await s.restart();
        const ids = new Set<string>();
        await until(async () => {
          for (const { id } of await takeAll(s.b.outbox)) ids.add(id);
          return ids.has(one.id) && ids.has(taken.id);
        });
      },
      TAKEN_MS * 3,
    );

    if (!exclusive) {
      it(
        'passes a task to another process after the first one died with it',
        async () => {
          const one = task();
          await s.a.outbox.add(one);
          const dying = await s.start();
          expect((await dying.outbox.take())?.id).toBe(one.id);
          const takenAt = Date.now();
          await dying.kill();
          let again: TakenTask | undefined;
          await until(async () => (again = await s.b.outbox.take()) !== undefined);
          expect(Date.now() - takenAt).toBeGreaterThan(TAKEN_MS - 1_000);
          expect(again).toMatchObject({ id: one.id, payload: one.payload, attempts: 2 });
          expect(await again!.done()).toBe(true);
        },
        TAKEN_MS * 3,
      );
    }
  });
}
