import { afterEach, expect, it, vi } from 'vitest';
import { MemoryStorage } from './storage.ts';
import { pack } from './stored.ts';
import { sweep } from './sweep.ts';
import type { StorageLike } from './types.ts';

const WEEK_MS = 7 * 24 * 3_600_000;
const KINDS = ['answer', 'turn', 'run'];

afterEach(() => vi.useRealTimers());

/** Sweeps storages. Returns the warnings. */
async function sweepAll(...storages: StorageLike[]): Promise<Error[]> {
  const warnings: Error[] = [];
  await sweep(storages, { storagePrefix: 'p', onWarning: (warning) => warnings.push(warning) });
  return warnings;
}

/** Like the browser's `Storage`: items are properties. */
function asStorage(): StorageLike {
  const items = Object.create({
    length: 0,
    getItem: (key: string) => items[key] ?? null,
    setItem: (key: string, value: string) => void (items[key] = value),
    removeItem: (key: string) => void delete items[key],
  }) as StorageLike & Record<string, string>;
  return items;
}

it.each([
  ['a Map-like storage', new MemoryStorage(), (storage: object) => [...(storage as MemoryStorage).keys()]],
  ['a Storage', asStorage(), (storage: object) => Object.keys(storage)],
])(
  'removes what has expired and what is malformed in all scopes from %s, and nothing else',
  async (_, storage, keys) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    for (const kind of KINDS) {
      await storage.setItem(`p:me:${kind}:old`, pack({}));
      await storage.setItem(`p:other:${kind}:old`, pack({}));
      await storage.setItem(`p:me:${kind}:malformed`, 'malformed');
      await storage.setItem(`p:${kind}:of-0.1`, pack({}));
    }
    const others = ['p:me:answer2:old', 'p:me:chats', 'pp:me:answer:old', 'answer', 'p'];
    for (const name of others) await storage.setItem(name, 'not ours');
    vi.setSystemTime(Date.now() + WEEK_MS - 1000);
    const young = KINDS.map((kind) => `p:me:${kind}:young`);
    for (const name of young) await storage.setItem(name, pack({}));
    vi.setSystemTime(Date.now() + 2000);
    expect(await sweepAll(storage)).toEqual([]);
    expect(keys(storage).sort()).toEqual([...others, ...young].sort());
  },
);

it('keeps an item that another tab writes at the same time', async () => {
  const storage = new MemoryStorage();
  storage.setItem('p:me:turn:x', 'malformed');
  const swept = sweepAll({
    keys: () => storage.keys(),
    getItem(key: string) {
      storage.setItem(key, pack('new'));
      return storage.getItem(key);
    },
    setItem: () => undefined,
    removeItem: (key: string) => storage.removeItem(key),
  } as StorageLike);
  expect(await swept).toEqual([]);
  expect([...storage.keys()]).toEqual(['p:me:turn:x']);
});

it('finds the items in a Storage with an item named keys', async () => {
  const storage = asStorage();
  await storage.setItem('keys', 'of another script');
  await storage.setItem('p:me:answer:x', 'malformed');
  expect(await sweepAll(storage)).toEqual([]);
  expect(Object.keys(storage)).toEqual(['keys']);
});

it('ignores keys that are not strings, and storages that list no keys', async () => {
  const items = { getItem: () => null, setItem: () => undefined, removeItem: () => undefined };
  expect(await sweepAll({ ...items, keys: async () => [1, new Date()] } as StorageLike, items)).toEqual([]);
});

it('reports a storage that fails, and sweeps the next one', async () => {
  const storage = new MemoryStorage();
  storage.setItem('p:me:answer:x', 'malformed');
  const failing = {
    ...{ getItem: () => null, setItem: () => undefined, removeItem: () => undefined },
    keys: () => Promise.reject(new Error('blocked')),
  };
  expect(await sweepAll(failing as StorageLike, storage)).toMatchObject([{ code: 'STORAGE_FAILED' }]);
  expect([...storage.keys()]).toEqual([]);
});
