import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRecordStore } from './request-records.ts';
import { MemoryStorage } from './storage.ts';
import type { StorageLike } from './types.ts';

const PREFIX = 'p:anyone:answer:https://proxy.test/v1/proxy:';
const CALL = { fingerprint: 'f1', autoResume: true, key: undefined };

function open(storage: StorageLike) {
  const warnings: Error[] = [];
  const store = createRecordStore({
    storage,
    prefix: PREFIX,
    refused: new Map(),
    warn: (warning) => warnings.push(warning),
  });
  return { store, warnings };
}

/** A storage with three methods and nothing else. */
function plain() {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
    removeItem: (key: string) => items.delete(key),
  };
}

/** The same behind promises, which settle in the order that the test likes. */
function slow(turns: () => number) {
  const { items, ...sync } = plain();
  const later = async <T>(run: () => T): Promise<T> => {
    for (let left = turns(); left > 0; left--) await Promise.resolve();
    return run();
  };
  return {
    items,
    getItem: (key: string) => later(() => sync.getItem(key)),
    setItem: (key: string, value: string) => later(() => sync.setItem(key, value)),
    removeItem: (key: string) => later(() => sync.removeItem(key)),
  };
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe.each([
  ['sync', plain],
  ['async', () => slow(() => 3)],
])('records in a storage that is %s', (_, make) => {
  it('takes up an unfinished answer to the same request, in another page too', async () => {
    const storage = make();
    const first = await open(storage).store.open('id', CALL);
    expect(first.found).toBe(false);
    await first.save({ streamUrl: 'https://proxy.test/s', contentType: 'text/plain' });
    const second = await open(storage).store.open('id', CALL);
    expect(second.found).toBe(true);
    expect(second.data).toEqual(first.data);
  });

  it('has stored the key when it opens', async () => {
    const storage = make();
    const { data } = await open(storage).store.open('id', CALL);
    expect([...storage.items.values()].join()).toContain(data.idempotencyKey);
  });

  it('begins anew for another request, and lets go of the older one', async () => {
    const storage = make();
    const { store } = open(storage);
    const first = await store.open('id', CALL);
    const second = await store.open('id', { ...CALL, fingerprint: 'f2' });
    expect(second.found).toBe(false);
    expect(second.data.idempotencyKey).not.toBe(first.data.idempotencyKey);
    await first.save({ offset: '9' });
    await first.finish('old');
    expect((await store.find('id')).record?.data).toEqual(second.data);
  });

  it('begins anew for the same request when the answer is over, and after a stale one', async () => {
    const { store } = open(make());
    const first = await store.open('id', CALL);
    await first.finish('stream-1');
    const second = await store.open('id', CALL);
    const third = await store.open('id', CALL, second.data.idempotencyKey);
    const keys = [first, second, third].map((entry) => entry.data.idempotencyKey);
    expect(new Set(keys).size).toBe(3);
    expect([second.found, third.found]).toEqual([false, false]);
  });

  it('gives callers who find the same stale answer one new key', async () => {
    const { store } = open(make());
    const { idempotencyKey } = (await store.open('id', CALL)).data;
    const entries = await Promise.all([
      store.open('id', CALL, idempotencyKey),
      store.open('id', CALL, idempotencyKey),
    ]);
    expect(entries[0].data.idempotencyKey).toBe(entries[1].data.idempotencyKey);
    expect(entries[0].data.idempotencyKey).not.toBe(idempotencyKey);
  });

  it('keeps nothing secret once it is over', async () => {
    const storage = make();
    const entry = await open(storage).store.open('id', CALL);
    await entry.save({ streamUrl: 'https://proxy.test/s?signature=secret' });
    await entry.finish('stream-1');
    const left = [...storage.items.values()].join();
    for (const secret of ['secret', entry.data.idempotencyKey, 'f1']) expect(left).not.toContain(secret);
    expect((await open(storage).store.find('id')).record).toBeUndefined();
  });

  it('always begins anew without autoResume, and takes the caller’s own key', async () => {
    const { store } = open(make());
    const keys = [];
    for (let at = 0; at < 3; at++) {
      const { found, data } = await store.open('id', { ...CALL, autoResume: false });
      expect(found).toBe(false);
      keys.push(data.idempotencyKey);
    }
    expect(new Set(keys).size).toBe(3);
    const { data } = await store.open('other', { ...CALL, key: 'mine' });
    expect(data.idempotencyKey).toBe('mine');
  });

  it('ends with the newest offset, however the writes overlap', async () => {
    const storage = make();
    const entry = await open(storage).store.open('id', CALL);
    const saved = Array.from({ length: 20 }, (_, at) => entry.save({ offset: String(at) }));
    await Promise.all(saved);
    expect((await open(storage).store.find('id')).record?.data.offset).toBe('19');
  });
});

describe('two tabs at once', () => {
  it('come to one key when the storage is async, whoever comes in between', async () => {
    let turn = 0;
    const storage = slow(() => [5, 1, 9, 2, 7, 3][turn++ % 6] ?? 1);
    const entries = await Promise.all([1, 2, 3].map(() => open(storage).store.open('id', CALL)));
    expect(new Set(entries.map((entry) => entry.data.idempotencyKey)).size).toBe(1);
  });

  it('come to one key in localStorage, even when neither sees what the other wrote', async () => {
    // Browsers show one tab's writes to another a little later.
    const tabs = [new MemoryStorage(), new MemoryStorage()];
    const keys = [];
    for (const localStorage of tabs) {
      vi.stubGlobal('window', { localStorage });
      keys.push((await open(localStorage).store.open('id', CALL)).data.idempotencyKey);
    }
    expect(keys[0]).toBe(keys[1]);
  });

  it('come to one key in a sync storage, in one turn', async () => {
    const storage = plain();
    const entries = await Promise.all([1, 2].map(() => open(storage).store.open('id', CALL)));
    expect(entries[0]?.data.idempotencyKey).toBe(entries[1]?.data.idempotencyKey);
    expect(entries[1]?.found).toBe(true);
  });

  it('leave nothing behind in a storage of one thread', async () => {
    const storage = plain();
    await (await open(storage).store.open('id', CALL)).finish('stream-1');
    expect(storage.items.size).toBe(0);
  });
});

describe('a storage that fails', () => {
  const broken: [string, StorageLike][] = [
    ['blocked', { getItem: fail, setItem: fail, removeItem: fail }],
    ['full', { getItem: () => null, setItem: fail, removeItem: () => {} }],
    [
      'blocked and async',
      { getItem: async () => fail(), setItem: async () => fail(), removeItem: async () => fail() },
    ],
  ];
  function fail(): never {
    throw new DOMException('no', 'SecurityError');
  }

  it.each(broken)('is replaced by memory when it is %s, with one warning or two', async (_, storage) => {
    const { store, warnings } = open(storage);
    const entry = await store.open('id', CALL);
    for (let at = 0; at < 50; at++)
      await entry.save({ offset: String(at), streamUrl: 'https://proxy.test/s' });
    expect((await store.open('id', CALL)).data.offset).toBe('49');
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings.length).toBeLessThan(4);
    expect(warnings[0]).toMatchObject({ name: 'DurableStorageError', code: 'STORAGE_FAILED' });
    expect(warnings[0]?.cause).toMatchObject({ name: 'SecurityError' });
    await entry.finish();
    expect((await store.find('id')).record).toBeUndefined();
  });

  it.each([
    '',
    'nonsense',
    '{}',
    'null',
    '[null,1]',
    '[{"generation":0,"idempotencyKey":"a\\nb"},9e15]',
    '[{"generation":0,"idempotencyKey":"a","streamUrl":"javascript:1"},9e15]',
  ])('survives what is not ours: %j', async (text) => {
    const storage = plain();
    storage.items.set(`${PREFIX}id`, text);
    const { store, warnings } = open(storage);
    expect((await store.open('id', CALL)).found).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(String(warnings[0])).not.toContain('nonsense');
  });
});

describe('sweeping', () => {
  const WEEK_MS = 7 * 24 * 3_600_000;

  it.each([
    ['a Map-like storage', new MemoryStorage(), (storage: object) => [...(storage as MemoryStorage).keys()]],
    ['a Storage', asStorage(), (storage: object) => Object.keys(storage)],
  ])('removes what is past its time in any scope from %s, and leaves the rest', async (_, storage, keys) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { store } = open(storage);
    await store.open('old', CALL);
    const other = createRecordStore({
      storage,
      prefix: 'p:other:answer:',
      refused: new Map(),
      warn: () => undefined,
    });
    await other.open('old', CALL);
    for (const name of ['p:anyone:turn:old', 'p:turn:old', 'pp:answer:old'])
      await storage.setItem(name, 'not ours');
    vi.setSystemTime(Date.now() + WEEK_MS - 1000);
    const young = await store.open('young', CALL);
    vi.setSystemTime(Date.now() + 2000);
    await store.sweep('p');
    expect(keys(storage).sort()).toEqual([
      `${PREFIX}young`,
      'p:anyone:turn:old',
      'p:turn:old',
      'pp:answer:old',
    ]);
    expect((await store.find('young')).record?.data).toEqual(young.data);
  });

  it('passes over keys that are no text', async () => {
    const storage = { ...plain(), keys: async () => [1, new Date(), `${PREFIX}x`] };
    await expect(open(storage).store.sweep('p')).resolves.toBeUndefined();
  });

  it('counts from the last change, and never gives what is past its time', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const storage = plain();
    const { store } = open(storage);
    const entry = await store.open('id', CALL);
    vi.setSystemTime(Date.now() + WEEK_MS - 1000);
    await entry.save({ offset: '5' });
    vi.setSystemTime(Date.now() + WEEK_MS - 1000);
    expect((await store.find('id')).record?.data.offset).toBe('5');
    vi.setSystemTime(Date.now() + 2000);
    expect((await store.open('id', CALL)).found).toBe(false);
  });

  /** As the browser's: items are properties. */
  function asStorage(): StorageLike {
    const items = Object.create({
      length: 0,
      getItem: (key: string) => items[key] ?? null,
      setItem: (key: string, value: string) => void (items[key] = value),
      removeItem: (key: string) => void delete items[key],
    }) as StorageLike & Record<string, string>;
    return items;
  }
});
