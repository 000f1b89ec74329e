import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { lockDirectory, privateDirectory } from '../../server/store/embedded/lock.ts';
import type { StreamStore } from '../../server/store/types.ts';
import { COMPLETE, init, storeError, textOf } from '../../server/testing/byte-store/support.ts';
import { Child } from './embedded-support.ts';

describe('the lock of a data directory', () => {
  let parent: string;
  let dataDir: string;
  const children: Child[] = [];
  const stores: StreamStore[] = [];

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'durable-proxy-lock-'));
    dataDir = join(parent, 'data');
  });

  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => child.kill()));
    await Promise.all(stores.splice(0).map((store) => store.dispose()));
    await rm(parent, { recursive: true });
  });

  const hold = async (dir = dataDir): Promise<Child> => {
    const child = new Child(['hold', dir]);
    children.push(child);
    await child.printed('open');
    return child;
  };

  const newStore = (dir = dataDir): StreamStore => {
    const store = embeddedStore({ dataDir: dir });
    stores.push(store);
    return store;
  };

  it('rejects a second process, with instructions', async () => {
    await hold();
    const opening = newStore().open();
    await expect(opening).rejects.toEqual(storeError('UNAVAILABLE'));
    await expect(opening).rejects.toThrow(dataDir);
    await expect(opening).rejects.toThrow(/Stop it, or set `dataDir`/);
  });

  it('is shared by the stores of one process, until the last of them is disposed', async () => {
    const [first, second] = [newStore(), newStore()];
    await Promise.all([first.open(), second.open()]);
    await first.create('a', init());
    await first.append('a', Buffer.from('shared'));
    expect(await textOf(second, 'a')).toBe('shared');
    await first.dispose();
    await expect(first.head('a')).rejects.toEqual(storeError('UNAVAILABLE'));
    expect(await textOf(second, 'a')).toBe('shared');
    const disposed = second.dispose();
    const third = newStore();
    await third.open();
    await disposed;
    expect(await textOf(third, 'a')).toBe('shared');
    await third.dispose();
    await hold();
  });

  it('rejects a store of the same process with another durability', async () => {
    await newStore().open();
    const other = embeddedStore({ dataDir, durability: 'process' });
    await expect(other.open()).rejects.toThrow(/durability: 'disk'\. Use the same value/);
  });

  it('is released by dispose, at process exit, and after kill -9', async () => {
    await (await hold()).end();
    await (await hold()).kill();
    const store = newStore();
    await store.open();
    await store.dispose();
    const child = await hold();
    await expect(newStore().open()).rejects.toThrow(/holds/);
    await child.kill();
    await newStore().open();
  });

  it('leaves at most one socket, however many holders were killed', async () => {
    for (let i = 0; i < 3; i += 1) await (await hold()).kill();
    await newStore().open();
    const names = await readdir(dataDir);
    expect(names.filter((name) => name.endsWith('.sock'))).toHaveLength(1);
  });

  it('has one winner among ten that find a leftover socket at the same time', async () => {
    await (await hold()).kill();
    const opened = await Promise.allSettled(Array.from({ length: 10 }, () => lockDirectory(dataDir)));
    const winners = opened.filter((one) => one.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    await winners[0]!.value.release();
  });

  it('has one winner among processes that start at the same time', async () => {
    await (await hold()).kill();
    const rivals = Array.from({ length: 3 }, () => new Child(['hold', dataDir]));
    children.push(...rivals);
    await Promise.all(rivals.map((rival) => rival.printed('open error')));
    expect(rivals.filter((rival) => rival.all('open').length === 1)).toHaveLength(1);
  });

  it('works if the path is too long for a socket', async () => {
    const deep = join(parent, 'd'.repeat(120), 'data.with.dots');
    await mkdir(deep, { recursive: true });
    const child = await hold(deep);
    await expect(newStore(deep).open()).rejects.toThrow(/holds/);
    await child.kill();
    const store = newStore(deep);
    await store.open();
    await store.create('a', init());
    await store.close('a', COMPLETE, Buffer.from('deep'));
    expect(await textOf(store, 'a')).toBe('deep');
  });

  it('names the process that holds the directory', async () => {
    const child = await hold();
    await expect(newStore().open()).rejects.toThrow(`(pid ${child.pid}) holds "${dataDir}"`);
  });

  it.runIf(process.platform === 'linux')(
    'creates nothing outside a data directory with a long path',
    async () => {
      const deep = join(parent, 'd'.repeat(120), 'data');
      await mkdir(deep, { recursive: true });
      const lock = await lockDirectory(deep);
      const names = await readdir(deep);
      expect(names.filter((name) => name.endsWith('.sock'))).toHaveLength(1);
      await lock.release();
      expect(await readdir(deep)).toEqual([]);
    },
  );

  it.each([
    ['that others can write to', (path: string) => mkdir(path).then(() => chmod(path, 0o777))],
    ['that is a symbolic link', (path: string) => symlink(parent, path)],
  ])('rejects a directory with its name %s', async (_, squat) => {
    const path = join(parent, 'squatted');
    await squat(path);
    await expect(privateDirectory(path)).rejects.toThrow(/shorter `dataDir`/);
  });

  it('creates its private directory with mode 0700, and removes it', async () => {
    const path = join(parent, 'private');
    const directory = await privateDirectory(path);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    await directory.release();
    expect(await readdir(parent)).not.toContain('private');
  });

  it('is not taken before open, and only the owner can access the directory', async () => {
    const store = newStore();
    await expect(store.head('a')).rejects.toThrow(/open\(\)/);
    await expect(readdir(parent)).resolves.toEqual([]);
    await store.open();
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    expect((await stat(join(dataDir, 'streams.mdb'))).mode & 0o777).toBe(0o600);
  });

  it('reports why a directory cannot be used, and can be opened later', async () => {
    const store = embeddedStore({ dataDir: '/dev/null/data' });
    await expect(store.open()).rejects.toEqual(storeError('UNAVAILABLE'));
    await expect(store.open()).rejects.toThrow('/dev/null/data');
    await store.dispose();
  });
});
