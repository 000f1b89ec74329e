import { randomUUID } from 'node:crypto';
import { isSameEntry } from '../../coordination/creates.ts';
import type { NameEntry } from '../../coordination/types.ts';
import { expect } from '../expect.ts';
import { entryOf, expectAborted, forever, type Started, type Suite } from './support.ts';

const newName = (): string => `key-${randomUUID()}`;

export function describeNames({ it, section }: Suite): void {
  section('names', (s) => {
    const add = async (process: Started, name: string, ...states: ('answered' | 'failed')[]) => {
      const entry = entryOf(process);
      await process.names.set(name, entry);
      for (const state of states) await process.names.set(name, { ...entry, state });
      return entry;
    };

    it('return undefined for a name that was not set', async () => {
      expect(await s.a.names.get(newName())).toBeUndefined();
    });

    it('return the newest create in all processes', async () => {
      const name = newName();
      await add(s.a, name, 'answered');
      const second = await add(s.b, name);
      for (const { names } of [s.a, s.b]) expect(await names.get(name)).toEqual(second);
      await s.b.names.set(name, { ...second, state: 'answered' });
      for (const { names } of [s.a, s.b])
        expect(await names.get(name)).toEqual({ ...second, state: 'answered' });
      const third = await add(s.a, name, 'answered');
      expect((await s.b.names.get(name))?.streamId).toBe(third.streamId);
    });

    it('skip creates that failed', async () => {
      const name = newName();
      const good = await add(s.a, name, 'answered');
      await add(s.b, name, 'failed');
      await add(s.a, name, 'failed');
      expect(await s.b.names.get(name)).toEqual({ ...good, state: 'answered' });
      const other = newName();
      await add(s.a, other, 'failed');
      expect(await s.b.names.get(other)).toBeUndefined();
    });

    it('return the create before one that fails after it was answered', async () => {
      const name = newName();
      const good = await add(s.a, name, 'answered');
      const refused = await add(s.b, name, 'answered');
      await s.b.names.set(name, { ...refused, state: 'failed' });
      expect(await s.a.names.get(name)).toEqual({ ...good, state: 'answered' });
    });

    it('return an older pending create if a newer one fails', async () => {
      const name = newName();
      const older = await add(s.a, name);
      const newer = await add(s.b, name);
      expect(await s.a.names.get(name)).toEqual(newer);
      await s.b.names.set(name, { ...newer, state: 'failed' });
      expect(await s.a.names.get(name)).toEqual(older);
    });

    it('keep their order if an older create is answered after a newer one was accepted', async () => {
      const name = newName();
      const older = await add(s.a, name);
      const newer = await add(s.b, name);
      await s.a.names.set(name, { ...older, state: 'answered' });
      expect(await s.b.names.get(name)).toEqual(newer);
    });

    it('do not change when a create is set again', async () => {
      const name = newName();
      const older = await add(s.a, name);
      const newer = await add(s.a, name);
      await s.a.names.set(name, older);
      expect(await s.b.names.get(name)).toEqual(newer);
    });

    it('ignore the result of a create that they do not know', async () => {
      const name = newName();
      const known = await add(s.a, name);
      await s.b.names.set(name, entryOf(s.b, { state: 'answered' }));
      expect(await s.a.names.get(name)).toEqual(known);
    });

    it('find each of 200 creates of two processes', async () => {
      const name = newName();
      for (let i = 0; i < 200; i += 1) {
        const [writer, reader] = i % 2 ? [s.a, s.b] : [s.b, s.a];
        const { streamId } = await add(writer, name, i % 3 === 2 ? 'failed' : 'answered');
        if (i % 50 === 0 && i % 3 !== 2) expect((await reader.names.get(name))?.streamId).toBe(streamId);
      }
    });

    it('wake watchers when the create has a result', async () => {
      const name = newName();
      const entry = await add(s.a, name);
      const watching = [s.a, s.b].map(({ names }) => names.watch(name, entry, forever));
      await s.a.names.set(name, { ...entry, state: 'answered' });
      await Promise.all(watching);
      await s.b.names.watch(name, entry, forever);
    });

    it('wake watchers in all processes when a newer create is added', async () => {
      const name = newName();
      const first = await add(s.a, name, 'answered');
      const seen: NameEntry = { ...first, state: 'answered' };
      const watching = [s.a, s.b].map(({ names }) => names.watch(name, seen, forever));
      const second = await add(s.b, name);
      await Promise.all(watching);
      for (const { names } of [s.a, s.b]) expect(await names.get(name)).toEqual(second);
      await s.a.names.watch(name, seen, forever);
    });

    it('wake watchers of a name without creates', async () => {
      const name = newName();
      const watching = [s.a, s.b].map(({ names }) => names.watch(name, undefined, forever));
      await add(s.a, name);
      await Promise.all(watching);
      await s.b.names.watch(name, undefined, forever);
    });

    it('wake watchers when the newest create fails', async () => {
      const name = newName();
      await add(s.a, name, 'answered');
      const failing = await add(s.a, name);
      const watching = [s.a, s.b].map(({ names }) => names.watch(name, failing, forever));
      await s.a.names.set(name, { ...failing, state: 'failed' });
      await Promise.all(watching);
    });

    it('wake a watcher until it has the newest of 150 creates, however many it has missed', async () => {
      const name = newName();
      const last = entryOf(s.a, { state: 'answered' });
      const addAll = async () => {
        for (let i = 1; i < 150; i += 1) await add(s.a, name, 'answered');
        await s.a.names.set(name, { ...last, state: 'accepted' });
        await s.a.names.set(name, last);
      };
      const follow = async () => {
        let seen: NameEntry | undefined;
        while (!isSameEntry(seen, last)) {
          await s.b.names.watch(name, seen, forever);
          seen = await s.b.names.get(name);
        }
      };
      await Promise.all([addAll(), follow()]);
    });

    it('do not wake watchers while nothing changes', async () => {
      const name = newName();
      const entry = await add(s.a, name);
      const stop = new AbortController();
      let isWoken = false;
      const watching = s.b.names.watch(name, entry, stop.signal).then(() => (isWoken = true));
      for (let i = 0; i < 20; i += 1) {
        await s.a.names.set(name, entry);
        await s.b.names.get(name);
      }
      const reason = new Error('enough');
      stop.abort(reason);
      await expect(watching).rejects.toBe(reason);
      expect(isWoken).toBe(false);
    });

    it('end a watch when its signal aborts', async () => {
      const name = newName();
      const entry = await add(s.a, name);
      await expectAborted((signal) => s.b.names.watch(name, entry, signal));
    });

    it('survive a restart', async () => {
      const name = newName();
      const entry = await add(s.a, name, 'answered');
      await s.restart();
      expect(await s.b.names.get(name)).toEqual({ ...entry, state: 'answered' });
    });
  });

  section(
    'names that expire',
    (s) => {
      it('expire after their TTL', async () => {
        const name = newName();
        await s.a.names.set(name, entryOf(s.a));
        // A get would restart the TTL.
        await new Promise((resolve) => setTimeout(resolve, 3_500));
        expect(await s.b.names.get(name)).toBeUndefined();
      });
    },
    1,
  );
}
