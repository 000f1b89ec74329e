import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Disk } from '../../server/store/embedded/disk.ts';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { OPEN_STREAMS, openKey } from '../../server/store/embedded/keys.ts';
import type { StreamStore } from '../../server/store/types.ts';
import {
  COMPLETE,
  eventually,
  expectSame,
  init,
  noise,
  readAll,
  storeError,
  textOf,
} from '../../server/testing/byte-store/support.ts';

type Durability = 'disk' | 'process';

describe.each(['disk', 'process'] as const)("the data of a dead process (durability '%s')", (durability) => {
  let parent: string;
  let copies = 0;
  const stores: StreamStore[] = [];

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'durable-proxy-recovery-'));
  });

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.dispose()));
    await rm(parent, { recursive: true });
  });

  const opened = async (
    name: string,
    as: Durability = durability,
    sweepIntervalMs = 20,
  ): Promise<StreamStore> => {
    const store = embeddedStore({ dataDir: join(parent, name), durability: as, sweepIntervalMs });
    stores.push(store);
    await store.open();
    return store;
  };
  /** Opens a copy of the current files: the state that another process would find if this one died now. */
  const afterDeath = (as?: Durability): Promise<StreamStore> => {
    copies += 1;
    const filter = (path: string): boolean => !path.endsWith('.sock') && !path.endsWith('-lock');
    cpSync(join(parent, 'data'), join(parent, `copy-${copies}`), { recursive: true, filter });
    return opened(`copy-${copies}`, as);
  };

  it('contains every append that resolved, and closes open streams', async () => {
    const store = await opened('data');
    await store.create('a', init());
    const parts = [noise(10), noise(900, 2), noise(300, 3), noise(5000, 4), noise(200_000, 5), noise(7, 6)];
    for (const part of parts) await store.append('a', part);
    const found = await afterDeath();
    const { bytes, end } = await readAll(found, 'a');
    expectSame(bytes, Buffer.concat(parts));
    expect(end).toMatchObject({ outcome: 'interrupted', error: { code: 'INTERRUPTED' } });
    await store.append('a', Buffer.from('this one is kept'));
    expect((await readAll(store, 'a')).end).toBeUndefined();
  });

  it('can be opened with the other durability', async () => {
    const store = await opened('data');
    await store.create('a', init());
    await store.append('a', Buffer.from('whichever'));
    const found = await afterDeath(durability === 'disk' ? 'process' : 'disk');
    expect(await textOf(found, 'a')).toBe('whichever');
  });

  it('contains a stream without appends after a short time', async () => {
    const store = await opened('data');
    await store.create('a', init({ outlivesProcess: true }));
    await eventually(async () => (await (await afterDeath()).head('a')) !== undefined, 5000);
  });

  it('contains nothing of a deleted stream whose id was used again', async () => {
    const store = await opened('data');
    await store.create('a', init());
    await store.append('a', Buffer.from('old'));
    await store.close('a', COMPLETE);
    await store.delete('a');
    await store.create('a', init());
    const found = await afterDeath();
    if (await found.head('a')) expect((await readAll(found, 'a')).bytes).toHaveLength(0);
    else expect(await found.create('a', init())).toBe(true);
  });

  it('continues a log that outlives its process after its last byte', async () => {
    const store = await opened('data');
    await store.create('key-1', init({ outlivesProcess: true }));
    await store.append('key-1', Buffer.from('one '));
    const found = await afterDeath();
    const { tail, end } = (await found.head('key-1'))!;
    expect(end).toBeUndefined();
    await found.append('key-1', Buffer.from('two'));
    expect(await textOf(found, 'key-1')).toBe('one two');
    expect(await textOf(found, 'key-1', tail)).toBe('two');
  });

  it('is opened without reading the records of keys and claims, and their logs stay open', async () => {
    const store = await opened('data');
    const names = Array.from({ length: 20 }, (_, i) => [`claim-${i}`, `key-${i}`]).flat();
    for (const name of names) {
      await store.create(name, init({ outlivesProcess: true }));
      await store.append(name, Buffer.from('line\n'));
    }
    await store.create('running', init());
    await store.append('running', Buffer.from('x'));
    const records = vi.spyOn(Disk.prototype, 'record');
    const found = await afterDeath();
    expect(records.mock.calls).toEqual([['running']]);
    records.mockRestore();
    for (const name of names) {
      expect((await found.head(name))?.end).toBeUndefined();
      await found.append(name, Buffer.from('next\n'));
      expect(await textOf(found, name)).toBe('line\nnext\n');
    }
    expect((await found.head('running'))?.end?.outcome).toBe('interrupted');
  });

  it('removes keys and claims from the index of open streams that version 0.1 wrote, and leaves them open', async () => {
    const store = await opened('data');
    await store.create('claim-1', init({ metadata: { kind: 'claim' } }));
    await store.append('claim-1', Buffer.from('line\n'));
    await store.dispose();
    const dataDir = join(parent, 'data');
    const disk = await Disk.open(dataDir);
    const { sid } = disk.record('claim-1')!;
    await disk.commit((to) => to.put(openKey(sid), Buffer.from('claim-1')));
    await disk.close();
    await (await opened('data')).dispose();
    const after = await Disk.open(dataDir);
    expect(after.keys(OPEN_STREAMS, 10)).toEqual([]);
    await after.close();
    expect((await (await opened('data')).head('claim-1'))?.end).toBeUndefined();
  });

  it('expires streams in time, with or without a process', async () => {
    const store = await opened('data');
    await store.create('short', init({ ttlSeconds: 0.5 }));
    await store.close('short', COMPLETE, Buffer.from('x'));
    await store.create('long', init());
    await store.append('long', Buffer.from('y'));
    const found = await afterDeath();
    await eventually(async () => (await found.head('short')) === undefined, 5000);
    expect(await textOf(found, 'long')).toBe('y');
  });

  it('has no expired streams, whether swept or not', async () => {
    const store = await opened('data', durability, 2 ** 30);
    const ids = ['open', 'closed', 'created'];
    for (const id of ids) await store.create(id, init({ ttlSeconds: 0.3 }));
    await store.append('open', Buffer.from('x'));
    await store.close('closed', COMPLETE, Buffer.from('x'));
    for (const id of ids) {
      await eventually(async () => (await store.head(id)) === undefined, 5000);
      await expect(store.read(id, '-1', 1)).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(store.append(id, Buffer.from('y'))).rejects.toEqual(storeError('NOT_FOUND'));
      expect(await store.create(id, init())).toBe(true);
      expect((await readAll(store, id)).bytes).toHaveLength(0);
      await store.append(id, Buffer.from('another'));
    }
    const found = await afterDeath();
    for (const id of ids) expect(await textOf(found, id)).toBe('another');
  });

  it('can be closed and opened repeatedly', async () => {
    await (await opened('data')).dispose();
    let store = await opened('data');
    await store.create('key-1', init({ outlivesProcess: true }));
    for (let i = 0; i < 10; i += 1) {
      await store.append('key-1', Buffer.from(`${i}`));
      await store.create(`data-${i}`, init());
      await store.append(`data-${i}`, Buffer.from(`${i}`));
      await store.dispose();
      store = await opened('data');
    }
    expect(await textOf(store, 'key-1')).toBe('0123456789');
    for (let i = 0; i < 10; i += 1) expect(await textOf(store, `data-${i}`)).toBe(`${i}`);
  });

  it('is rejected if it contains other files', async () => {
    const dataDir = join(parent, 'data');
    await (await opened('data')).dispose();
    expect(readdirSync(dataDir).filter((name) => name.startsWith('journal'))).toEqual([]);
    writeFileSync(join(dataDir, 'streams.mdb'), noise(100_000));
    const store = embeddedStore({ dataDir });
    await expect(store.open()).rejects.toEqual(storeError('UNAVAILABLE'));
    await expect(store.open()).rejects.toThrow(dataDir);
  });
});
