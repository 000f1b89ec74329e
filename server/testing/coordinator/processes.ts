import { expect } from '../expect.ts';
import { randomUUID } from 'node:crypto';
import { until, type Suite } from './support.ts';

/** Milliseconds within which a dead process must be detected: one lease, plus time for a slow machine. */
const DEATH_MS = 20_000;

/** TTL in seconds of the section in which processes run longer than a TTL. */
const SHORT_SECONDS = 2;

export function describeProcesses({ it, section, exclusive }: Suite): void {
  section('processes', (s) => {
    it('are alive from start to stop', async () => {
      const other = await s.start();
      expect(await s.a.processes.isAlive(other.id)).toBe(true);
      expect(await other.processes.isAlive(other.id)).toBe(true);
      await other.processes.stop();
      expect(await s.a.processes.isAlive(other.id)).toBe(false);
    });

    it('have unique ids', async () => {
      expect(s.a.id).not.toBe(s.b.id);
      expect(s.a.id).toMatch(/^[A-Za-z0-9_-]{1,100}$/);
    });

    it('report an unknown process as dead', async () => {
      expect(await s.a.processes.isAlive(randomUUID())).toBe(false);
      expect(await s.a.processes.notify(randomUUID(), 'hello')).toBe(false);
    });

    it('receive the messages of one sender in order', async () => {
      const receiver = await s.start();
      const words = Array.from({ length: 300 }, (_, i) => `message ${i} ${'x'.repeat(i)}`);
      const sent = await Promise.all(words.map((word) => s.a.processes.notify(receiver.id, word)));
      expect(sent.every(Boolean)).toBe(true);
      await receiver.received(words.length);
      expect([...new Set(receiver.messages)]).toEqual(words);
    });

    it('send messages to themselves and to others', async () => {
      const [one, two] = [await s.start(), await s.start()];
      const message = 'a "message" with zoë 🦉 and spaces ';
      await Promise.all(
        [one, two].flatMap(({ processes }) => [one, two].map(({ id }) => processes.notify(id, message))),
      );
      await Promise.all([one.received(2), two.received(2)]);
      expect(one.messages).toEqual([message, message]);
    });

    it('cannot be notified after they stopped', async () => {
      const other = await s.start();
      await other.processes.stop();
      expect(await s.a.processes.notify(other.id, 'too late')).toBe(false);
    });

    it('leave the streams that they own as orphans when they end', async () => {
      const owner = await s.start();
      const [kept, done] = [randomUUID(), randomUUID()];
      await owner.processes.own(kept);
      await owner.processes.own(done);
      await owner.processes.own(kept);
      await owner.processes.disown(done);
      const orphansOf = async () =>
        (await s.a.processes.orphans()).filter(({ process }) => process === owner.id);
      expect(await orphansOf()).toEqual([]);
      await owner.processes.stop();
      expect(await orphansOf()).toEqual([{ process: owner.id, streamIds: [kept] }]);
      // Reading the list changes nothing.
      const orphans = await orphansOf();
      expect(orphans).toHaveLength(1);
      await s.a.processes.forget(orphans[0]!);
      expect(await orphansOf()).toEqual([]);
    });

    if (exclusive) {
      it('are dead after a restart of a single-process store', async () => {
        const before = s.a.id;
        await s.restart();
        expect(await s.a.processes.isAlive(before)).toBe(false);
        expect(await s.a.processes.notify(before, 'hello')).toBe(false);
      });
    } else {
      it(
        'count as dead one lease after they were killed, and not before their lease is over',
        async () => {
          const killed = await s.start();
          const streamId = randomUUID();
          await killed.processes.own(streamId);
          await killed.kill();
          expect(await s.a.processes.isAlive(killed.id)).toBe(true);
          await until(async () => !(await s.a.processes.isAlive(killed.id)));
          expect(await s.b.processes.notify(killed.id, 'hello')).toBe(false);
          expect(await s.b.processes.orphans()).toContainEqual({ process: killed.id, streamIds: [streamId] });
        },
        DEATH_MS,
      );
    }
  });

  section(
    'processes that run longer than a TTL',
    (s) => {
      it(
        'leave all streams that they own as orphans',
        async () => {
          const owner = await s.start();
          const [early, late] = [randomUUID(), randomUUID()];
          await owner.processes.own(early);
          const end = Date.now() + 3 * SHORT_SECONDS * 1_000;
          await until(async () => {
            // Each process looks for orphans all the time.
            for (const { processes } of [owner, s.a]) expect(await processes.orphans()).toEqual([]);
            return Date.now() > end;
          });
          await owner.processes.own(late);
          await owner.processes.stop();
          const [orphans] = await s.a.processes.orphans();
          expect(orphans?.process).toBe(owner.id);
          expect([...(orphans?.streamIds ?? [])].sort()).toEqual([early, late].sort());
        },
        DEATH_MS,
      );

      it(
        'can own a stream after a TTL without one',
        async () => {
          const owner = await s.start();
          const streamId = randomUUID();
          await owner.processes.own(streamId);
          await owner.processes.disown(streamId);
          const end = Date.now() + 3 * SHORT_SECONDS * 1_000;
          await until(() => Promise.resolve(Date.now() > end));
          await owner.processes.own(randomUUID());
        },
        DEATH_MS,
      );
    },
    SHORT_SECONDS,
  );
}
