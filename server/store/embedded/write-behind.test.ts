import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { Disk } from './disk.ts';
import { WriteBehind } from './write-behind.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it.each(['disk', 'process'] as const)(
  'gives LMDB what it did not take, and what came meanwhile, when it takes again (%s)',
  async (durability) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-write-behind-'));
    const disk = new Disk(dataDir);
    await disk.prepare();
    const log = await WriteBehind.open(disk, dataDir, durability);
    cleanups.push(
      () => rm(dataDir, { recursive: true }),
      () => disk.close(),
      () => log.close(),
    );
    const put = (values: Record<string, string>): Promise<void> =>
      log.commit((to) => {
        for (const [key, value] of Object.entries(values)) to.put(Buffer.from(key), Buffer.from(value));
      });
    const found = (): string[] =>
      disk
        .entries({ start: Buffer.from('k'), end: Buffer.from('l') }, 10)
        .map(({ key, value }) => `${key.toString()}=${value}`);

    await put({ k1: 'old', k2: 'early' });
    vi.spyOn(disk, 'commit').mockImplementationOnce(async () => {
      await put({ k1: 'new', k3: 'late' });
      throw new Error('no space left');
    });
    await expect(log.settled()).rejects.toThrow('no space left');
    expect([log.committed, log.readable, found()]).toEqual([2, 0, []]);
    await log.settled();
    expect([log.committed, log.readable, found()]).toEqual([2, 2, ['k1=new', 'k2=early', 'k3=late']]);
    expect(disk.journalled()).toBe(2);
  },
);
