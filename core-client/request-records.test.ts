import fc from 'fast-check';
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
    memory: { refused: new Map(), pending: new Map() },
    warn: (warning) => warnings.push(warning),
  });
  return { store, warnings };
}

/** A storage with only the three required methods. */
function plain() {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
    removeItem: (key: string) => items.delete(key),
  };
}

/** An asynchronous storage. The test sets the order in which its promises settle. */
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
  it('finds an unfinished answer to the same request, also in another page', async () => {
    const storage = make();
    const first = await open(storage).store.open('id', CALL);
    expect(first.found).toBe(false);
    await first.save({ streamUrl: 'https://proxy.test/s', contentType: 'text/plain' });
    const second = await open(storage).store.open('id', CALL);
    expect(second.found).toBe(true);
    expect(second.data).toEqual(first.data);
  });

  it('has stored the key when open() resolves', async () => {
    const storage = make();
    const { data } = await open(storage).store.open('id', CALL);
    expect([...storage.items.values()].join()).toContain(data.idempotencyKey);
  });

  it('creates a new record for another request, and removes the older one', async () => {
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

  it('creates a new record for the same request after a finished or stale answer', async () => {
    const { store } = open(make());
    const first = await store.open('id', CALL);
    await first.finish('stream-1');
    const second = await store.open('id', CALL);
    const third = await store.open('id', CALL, second.data.idempotencyKey);
    const keys = [first, second, third].map((entry) => entry.data.idempotencyKey);
    expect(new Set(keys).size).toBe(3);
    expect([second.found, third.found]).toEqual([false, false]);
  });

  it('returns one new key to all callers that find the same stale answer', async () => {
    const { store } = open(make());
    const { idempotencyKey } = (await store.open('id', CALL)).data;
    const entries = await Promise.all([
      store.open('id', CALL, idempotencyKey),
      store.open('id', CALL, idempotencyKey),
    ]);
    expect(entries[0].data.idempotencyKey).toBe(entries[1].data.idempotencyKey);
    expect(entries[0].data.idempotencyKey).not.toBe(idempotencyKey);
  });

  it('keeps no secrets after the answer is finished', async () => {
    const storage = make();
    const entry = await open(storage).store.open('id', CALL);
    await entry.save({ streamUrl: 'https://proxy.test/s?signature=secret' });
    await entry.finish('stream-1');
    const left = [...storage.items.values()].join();
    for (const secret of ['secret', entry.data.idempotencyKey, 'f1']) expect(left).not.toContain(secret);
    expect((await open(storage).store.find('id')).record).toBeUndefined();
  });

  it('always creates a new record without autoResume, and uses the key of the caller', async () => {
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

  it('stores the newest offset even if writes overlap', async () => {
    const storage = make();
    const entry = await open(storage).store.open('id', CALL);
    const saved = Array.from({ length: 20 }, (_, at) => entry.save({ offset: String(at) }));
    await Promise.all(saved);
    expect((await open(storage).store.find('id')).record?.data.offset).toBe('19');
  });
});

describe('simultaneous calls in two tabs', () => {
  it('agree on one key if the storage is asynchronous, in any order of reads and writes', async () => {
    let turn = 0;
    const storage = slow(() => [5, 1, 9, 2, 7, 3][turn++ % 6] ?? 1);
    const entries = await Promise.all([1, 2, 3].map(() => open(storage).store.open('id', CALL)));
    expect(new Set(entries.map((entry) => entry.data.idempotencyKey)).size).toBe(1);
  });

  it('agree on one key in localStorage, even if neither sees the writes of the other', async () => {
    // In browsers, the writes of one tab reach another with a delay.
    const tabs = [new MemoryStorage(), new MemoryStorage()];
    const keys = [];
    for (const localStorage of tabs) {
      vi.stubGlobal('window', { localStorage });
      keys.push((await open(localStorage).store.open('id', CALL)).data.idempotencyKey);
    }
    expect(keys[0]).toBe(keys[1]);
  });

  it('agree on one key in a synchronous storage', async () => {
    const storage = plain();
    const entries = await Promise.all([1, 2].map(() => open(storage).store.open('id', CALL)));
    expect(entries[0]?.data.idempotencyKey).toBe(entries[1]?.data.idempotencyKey);
    expect(entries[1]?.found).toBe(true);
  });

  it('leave no entries in a storage of one thread', async () => {
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

  it.each(broken)('is replaced by memory if it is %s, with few warnings', async (_, storage) => {
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
    '[null,9e15]',
    '[{"generation":0,"idempotencyKey":"a\\nb"},9e15]',
    '[{"generation":0,"idempotencyKey":"a","streamUrl":"javascript:1"},9e15]',
  ])('causes a warning and a new record if it contains an invalid value: %j', async (text) => {
    const storage = plain();
    storage.items.set(`${PREFIX}id`, text);
    const { store, warnings } = open(storage);
    expect((await store.open('id', CALL)).found).toBe(false);
    expect(warnings).toHaveLength(1);
    expect(String(warnings[0])).not.toContain('nonsense');
  });
});

const WEEK_MS = 7 * 24 * 3_600_000;

it('keeps the record of the newest of two calls at once, however long the storage takes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(6), { minLength: 1, maxLength: 12 }), async (delays) => {
      let count = 0;
      const { store } = open(slow(() => delays[count++ % delays.length]!));
      const calls = ['earlier', 'newest'].map(async (fingerprint) => {
        const record = await store.open('id', { ...CALL, fingerprint });
        await record.save({ streamUrl: `https://proxy.test/${fingerprint}` });
        return record;
      });
      const [earlier] = await Promise.all(calls);
      await earlier!.finish();
      expect((await store.find('id')).record?.data).toMatchObject({
        fingerprint: 'newest',
        streamUrl: 'https://proxy.test/newest',
      });
    }),
  );
});

it('expires a record a week after its last change', async () => {
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
