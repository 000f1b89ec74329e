import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Disk } from './disk.ts';
import { WriteBehind } from './write-behind.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it.each(['disk', 'process'] as const)(
  'writes operations that LMDB rejected, and later ones, once LMDB accepts writes again (%s)',
  async (durability) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-write-behind-'));
    const disk = await Disk.open(dataDir);
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

describe.each(['disk', 'process'] as const)(
  "entries of an earlier session (durability '%s')",
  (durability) => {
    const FILES = ['journal-a.log', 'journal-b.log'] as const;
    let parent: string;

    beforeEach(async () => {
      parent = await mkdtemp(join(tmpdir(), 'durable-proxy-sessions-'));
      cleanups.push(() => rm(parent, { recursive: true }));
    });

    /** Opens a copy of the current files: the state that the next process finds if this one is killed now. */
    const session = async (name: string, previous?: string): Promise<{ log: WriteBehind; disk: Disk }> => {
      const directory = join(parent, name);
      if (previous) cpSync(join(parent, previous), directory, { recursive: true });
      else await mkdir(directory);
      const disk = await Disk.open(directory);
      cleanups.push(() => disk.close());
      await disk.prepare();
      const log = await WriteBehind.open(disk, directory, durability);
      cleanups.push(() => log.close());
      return { log, disk };
    };
    const put = (log: WriteBehind, key: string): Promise<void> =>
      log.commit((to) => to.put(Buffer.from(key), Buffer.from('x')));
    const keys = (disk: Disk): string[] =>
      disk.keys({ start: Buffer.from('k'), end: Buffer.from('l') }, 10).map(String);

    /** Commits k1 to the first file and k2 to the second. A power failure keeps only k2. */
    const cutSession = async (): Promise<void> => {
      const { log, disk } = await session('first');
      await put(log, 'k1');
      vi.spyOn(disk, 'commit').mockImplementationOnce(async () => {
        await put(log, 'k2');
        throw new Error('power cut');
      });
      await expect(log.settled()).rejects.toThrow('power cut');
      cpSync(join(parent, 'first'), join(parent, 'cut'), { recursive: true });
      const [a, b] = FILES.map((name) => join(parent, 'cut', name)) as [string, string];
      expect([readFileSync(a).includes('k1'), readFileSync(b).includes('k2')]).toEqual([true, true]);
      writeFileSync(a, Buffer.alloc(statSync(a).size));
    };

    it('are not replayed as entries of the session that uses their numbers again', async () => {
      await cutSession();
      const second = await session('second', 'cut');
      expect(keys(second.disk)).toEqual([]);
      await put(second.log, 'k3');
      const third = await session('third', 'second');
      expect(keys(third.disk)).toEqual(['k3']);
    });

    it('are removed before the first commit, and the files keep their size', async () => {
      await cutSession();
      const sizes = FILES.map((name) => statSync(join(parent, 'cut', name)).size);
      await session('second', 'cut');
      const files = FILES.map((name) => readFileSync(join(parent, 'second', name)));
      expect(files.map((bytes) => bytes.length)).toEqual(sizes);
      expect(files.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
    });

    it('are replayed if nothing is missing before them', async () => {
      const { log } = await session('first');
      for (const key of ['k1', 'k2']) await put(log, key);
      const second = await session('second', 'first');
      expect(keys(second.disk)).toEqual(['k1', 'k2']);
      await put(second.log, 'k3');
      const third = await session('third', 'second');
      expect(keys(third.disk)).toEqual(['k1', 'k2', 'k3']);
    });
  },
);
