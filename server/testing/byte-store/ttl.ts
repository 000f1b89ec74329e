import { expect } from '../expect.ts';
import type { StreamStore } from '../../store/types.ts';
import type { Section, Suite } from './suite.ts';
import { COMPLETE, eventually, init, newId, pause, readAll, storeError, Tail } from './support.ts';

/** Calls `touch` four times per TTL for more than two TTLs. The stream must exist all the time. */
async function keepAlive(
  s: Section,
  touch: (store: StreamStore, id: string) => Promise<unknown>,
): Promise<string> {
  const ttlSeconds = s.options.smallestTtlSeconds ?? 1;
  const id = newId();
  await s.store.create(id, init({ ttlSeconds }));
  for (let i = 0; i < 10; i += 1) {
    await pause(ttlSeconds * 250);
    await touch(s.store, id);
  }
  expect(await s.store.head(id)).toBeDefined();
  return id;
}

/** Resolves when the stream has expired, checked with `head` only. */
async function expiry(s: Section, id: string): Promise<void> {
  const ttlMs = (s.options.smallestTtlSeconds ?? 1) * 1000;
  await eventually(async () => (await s.store.head(id)) === undefined, ttlMs * 3 + 2000);
}

export function describeTtl({ together, section }: Suite): void {
  section('time to live', (s) => {
    const short = (): { ttlSeconds: number } => ({ ttlSeconds: s.options.smallestTtlSeconds ?? 1 });

    together(
      '[LIMIT-8] expires a stream without reads and writes, not earlier, and is not restarted by head',
      async () => {
        const id = newId();
        await s.store.create(id, init(short()));
        const begun = performance.now();
        await s.store.append(id, Buffer.from('x'));
        await expiry(s, id);
        expect(performance.now() - begun).toBeGreaterThan(short().ttlSeconds * 1000 - 50);
        await expect(s.store.read(id, '-1', 10)).rejects.toEqual(storeError('NOT_FOUND'));
        await expect(s.store.follow(id, '-1', () => {})).rejects.toEqual(storeError('NOT_FOUND'));
        await expect(s.store.append(id, Buffer.from('y'))).rejects.toEqual(storeError('NOT_FOUND'));
        await expect(s.store.close(id, COMPLETE)).rejects.toEqual(storeError('NOT_FOUND'));
        expect(await s.store.delete(id)).toBe(false);
      },
    );

    together('expires a closed stream', async () => {
      const id = newId();
      await s.store.create(id, init(short()));
      await s.store.close(id, COMPLETE, Buffer.from('x'));
      await expiry(s, id);
      await expect(s.store.read(id, '-1', 10)).rejects.toEqual(storeError('NOT_FOUND'));
    });

    together('frees the id', async () => {
      const id = newId();
      await s.store.create(id, init(short()));
      await s.store.append(id, Buffer.from('old'));
      await eventually(() => s.store.create(id, init()), short().ttlSeconds * 3000 + 2000);
      expect((await readAll(s.store, id)).bytes).toHaveLength(0);
      await s.store.append(id, Buffer.from('new'));
      // Long enough for a late sweep of the first stream to affect the second.
      await pause(short().ttlSeconds * 2000);
      expect((await readAll(s.store, id)).bytes.toString()).toBe('new');
    });

    together('[LIMIT-8] is restarted by appends', async () => {
      await keepAlive(s, (store, id) => store.append(id, Buffer.from('x')));
    });

    together('[LIMIT-8] is restarted by reads, of open and closed streams', async () => {
      await Promise.all([
        keepAlive(s, (store, id) => store.read(id, '-1', 10)),
        keepAlive(s, async (store, id) => {
          await store.close(id, COMPLETE);
          await store.read(id, '-1', 10);
        }),
      ]);
    });

    together('[LIMIT-8] is restarted by followers when they begin', async () => {
      await keepAlive(s, async (store, id) => (await Tail.open(store, id)).stop());
    });

    together('starts again with the last touch', async () => {
      const id = await keepAlive(s, (store, id) => store.read(id, '-1', 10));
      await expiry(s, id);
    });

    together('ends the followers of an expired stream', async () => {
      const id = newId();
      await s.store.create(id, init(short()));
      const tail = await Tail.open(s.store, id);
      await expect(tail.toEnd()).rejects.toEqual(storeError('NOT_FOUND'));
      tail.stop();
    });

    together('does not affect streams with another TTL', async () => {
      const ids = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const id = newId();
          await s.store.create(id, init(i % 2 ? {} : short()));
          await s.store.append(id, Buffer.from(`${i}`));
          return id;
        }),
      );
      for (const id of ids.filter((_, i) => i % 2 === 0)) await expiry(s, id);
      for (const [i, id] of ids.entries()) {
        if (i % 2) expect((await readAll(s.store, id)).bytes.toString()).toBe(`${i}`);
      }
    });
  });
}
