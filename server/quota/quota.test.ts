import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ManualStore } from '../../tests/support/manual-store.ts';
import { silentLogger } from '../shared/logger.ts';
import { createStorageQuota, type StorageLimits, type StorageQuota } from './quota.ts';

const OVERHEAD = 1_024;
const EXCHANGE_MS = 2_000;
const TTL_SECONDS = 80;
const BUCKET_MS = 10_000;
const INIT = { contentType: '', ttlSeconds: TTL_SECONDS, metadata: {} };
/** Milliseconds after which a record has certainly been checked: a TTL, two logs, and the exchange. */
const CHECKED_MS = TTL_SECONDS * 1_000 + 3 * BUCKET_MS + EXCHANGE_MS;

let store: ManualStore;
const quotas: StorageQuota[] = [];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  store = new ManualStore();
});

afterEach(async () => {
  await Promise.all(quotas.splice(0).map((quota) => quota.stop()));
  vi.useRealTimers();
});

/** Starts a process on the store. */
const start = (limits: Partial<StorageLimits>): StorageQuota => {
  const all = {
    maxStoredBytes: Number.MAX_SAFE_INTEGER,
    maxStoredBytesPerSubject: Number.MAX_SAFE_INTEGER,
    streamTtlSeconds: TTL_SECONDS,
    ...limits,
  };
  const quota = createStorageQuota(all, store, silentLogger);
  quota.start();
  quotas.push(quota);
  return quota;
};
const exchange = () => vi.advanceTimersByTimeAsync(2 * EXCHANGE_MS);
const admits = (quota: StorageQuota, subject?: string): Promise<boolean> =>
  quota.admit(subject).then(
    () => true,
    (error: unknown) => {
      expect(error).toMatchObject({ code: 'STORAGE_QUOTA_EXCEEDED' });
      return false;
    },
  );
/** Creates, fills and closes a stream. */
const keep = async (quota: StorageQuota, id: string, bytes: number, subject?: string): Promise<void> => {
  await store.create(id, INIT);
  const meter = quota.open(id, subject);
  meter.add(bytes);
  meter.close();
};

describe('the storage quota', () => {
  it('counts the stored bytes of a stream that another process began', async () => {
    const quota = start({ maxStoredBytes: 10_000 + OVERHEAD });
    await keep(quota, 'stream', 6_000);
    quota.open('stream', undefined, 6_000).add(4_000);
    expect(await admits(quota)).toBe(false);
  });

  it('does nothing if both limits are off', async () => {
    const quota = start({});
    await keep(quota, 'stream', 1e12);
    expect(await admits(quota)).toBe(true);
    quota.deleted('stream', undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(store.calls).toEqual(['create stream']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('[LIMIT-10] rejects streams over maxStoredBytes for every caller, and bounds running streams by the rest', async () => {
    const quota = start({ maxStoredBytes: 10_000 });
    expect(await admits(quota)).toBe(true);
    const meter = quota.open('stream', 'ada');
    expect(meter.room).toBe(10_000 - OVERHEAD);
    meter.add(7_000);
    expect(quota.open('another', undefined).room).toBe(3_000 - 2 * OVERHEAD);
    expect([await admits(quota), await admits(quota, 'bob')]).toEqual([false, false]);
  });

  it('[LIMIT-10] applies maxStoredBytesPerSubject to each subject separately, and not to the plain secret', async () => {
    const quota = start({ maxStoredBytesPerSubject: 5_000 });
    await keep(quota, 'of-ada', 4_000, 'ada');
    await keep(quota, 'of-the-operator', 1_000_000);
    expect(await Promise.all(['ada', 'bob', undefined].map((subject) => admits(quota, subject)))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('counts streams without content', async () => {
    const quota = start({ maxStoredBytesPerSubject: 10 * OVERHEAD });
    for (let i = 0; i < 10; i += 1) await keep(quota, `empty-${i}`, 0, 'ada');
    expect(await admits(quota, 'ada')).toBe(false);
  });

  it('[LIMIT-10] counts what other processes store, within two exchanges', async () => {
    const [one, two] = [start({ maxStoredBytes: 10_000 }), start({ maxStoredBytes: 10_000 })];
    await exchange();
    await keep(one, 'stream', 9_000);
    expect(await admits(two)).toBe(true);
    await exchange();
    expect(await admits(two)).toBe(false);
  });

  it('reports a running stream to other processes in steps of 64 KiB, and 1 MiB at once', async () => {
    const limits = { maxStoredBytes: 2_000_000 };
    const [one, two] = [start(limits), start(limits)];
    await exchange();
    const probe = two.open('probe', undefined);
    const meter = one.open('stream', undefined);
    await exchange();
    const before = probe.room;
    const writes = () => store.calls.filter((call) => call.startsWith('append usage')).length;
    const writesBefore = writes();
    meter.add(60_000);
    await exchange();
    expect([probe.room, writes()]).toEqual([before, writesBefore]);
    meter.add(10_000);
    await exchange();
    expect([probe.room, writes()]).toEqual([before - 70_000, writesBefore + 1]);
    meter.add(1_100_000);
    await vi.advanceTimersByTimeAsync(0);
    expect(writes()).toBe(writesBefore + 2);
    meter.add(1);
    meter.close();
    await exchange();
    expect(probe.room).toBe(before - 1_170_001);
  });

  it('[LIMIT-12] frees the space of a deleted stream at once, in other processes within two exchanges', async () => {
    const [one, two] = [start({ maxStoredBytes: 10_000 }), start({ maxStoredBytes: 10_000 })];
    await keep(one, 'stream', 9_000);
    await exchange();
    two.deleted('stream', undefined);
    expect([await admits(one), await admits(two)]).toEqual([false, true]);
    await exchange();
    expect(await admits(one)).toBe(true);
  });

  it('does not count a deleted stream again when a record arrives later', async () => {
    const [one, two] = [start({ maxStoredBytes: 10_000 }), start({ maxStoredBytes: 10_000 })];
    await exchange();
    const meter = one.open('stream', undefined);
    meter.add(9_000);
    two.deleted('stream', undefined);
    await exchange();
    meter.add(10);
    meter.close();
    await exchange();
    const late = start({ maxStoredBytes: 10_000 });
    expect(await Promise.all([one, two, late].map((quota) => admits(quota)))).toEqual([true, true, true]);
  });

  it('[LIMIT-10] counts what earlier processes stored after a restart', async () => {
    await keep(start({ maxStoredBytes: 10_000 }), 'stream', 9_000);
    await quotas.pop()!.stop();
    expect(await admits(start({ maxStoredBytes: 10_000 }))).toBe(false);
  });

  it('[LIMIT-12] frees the space of an expired stream in all processes, after one of them has checked it', async () => {
    const [one, two] = [start({ maxStoredBytes: 10_000 }), start({ maxStoredBytes: 10_000 })];
    await keep(one, 'stream', 9_000);
    await vi.advanceTimersByTimeAsync(TTL_SECONDS * 1_000);
    expect(await admits(two)).toBe(false);
    await store.delete('stream');
    await vi.advanceTimersByTimeAsync(CHECKED_MS - TTL_SECONDS * 1_000 + EXCHANGE_MS);
    expect([await admits(one), await admits(two)]).toEqual([true, true]);
    expect(store.calls.filter((call) => call === 'head stream')).toHaveLength(1);
  });

  it('keeps counting a stream that is read after its TTL, also in a process that starts later', async () => {
    const quota = start({ maxStoredBytes: 10_000 });
    await keep(quota, 'stream', 9_000);
    for (let i = 0; i < 4; i += 1) {
      await vi.advanceTimersByTimeAsync(CHECKED_MS);
      expect(await admits(quota)).toBe(false);
    }
    expect(await admits(start({ maxStoredBytes: 10_000 }))).toBe(false);
    await store.delete('stream');
    await vi.advanceTimersByTimeAsync(2 * CHECKED_MS);
    expect(await admits(quota)).toBe(true);
  });

  it('repeats a failed check with the next log', async () => {
    const quota = start({ maxStoredBytes: 10_000 });
    await keep(quota, 'stream', 9_000);
    await exchange();
    await store.delete('stream');
    store.holds = (name) => name === 'head';
    void store.nextHeld().then((head) => {
      store.holds = () => false;
      head.fail(new Error('the store is unavailable'));
    });
    await vi.advanceTimersByTimeAsync(CHECKED_MS + BUCKET_MS);
    expect(await admits(quota)).toBe(true);
  });

  it('lets its logs expire after their check', async () => {
    const quota = start({ maxStoredBytes: 1_000_000 });
    await keep(quota, 'stream', 100);
    await vi.advanceTimersByTimeAsync(2 * CHECKED_MS);
    const ttls = [...store.logs]
      .filter(([id]) => id.startsWith('usage-'))
      .map(([, { init }]) => init.ttlSeconds);
    expect(ttls.length).toBeGreaterThan(2);
    expect(Math.min(...ttls)).toBeGreaterThan(BUCKET_MS / 1_000);
    expect(Math.max(...ttls)).toBeLessThanOrEqual(TTL_SECONDS * 2.5);
  });

  it('retries records that the store rejected', async () => {
    const [one, two] = [start({ maxStoredBytes: 10_000 }), start({ maxStoredBytes: 10_000 })];
    await exchange();
    store.holds = (name, id) => name === 'append' && id.startsWith('usage');
    await keep(one, 'stream', 9_000);
    void store.nextHeld().then((append) => {
      store.holds = () => false;
      append.fail(new Error('the store is unavailable'));
    });
    await exchange();
    await exchange();
    expect(await admits(two)).toBe(false);
  });

  it('waits at most 5 s for an unresponsive store on shutdown', async () => {
    const quota = start({ maxStoredBytes: 10_000 });
    await keep(quota, 'stream', 100);
    store.holds = () => true;
    await vi.advanceTimersByTimeAsync(EXCHANGE_MS);
    const stopping = quotas.pop()!.stop();
    await vi.advanceTimersByTimeAsync(5_000);
    await stopping;
  });

  it('[LIMIT-10] fails a create if the stored size is unknown after 5 s', async () => {
    store.holds = (name) => name === 'read';
    const quota = start({ maxStoredBytes: 10_000 });
    const admitted = expect(quota.admit(undefined)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await vi.advanceTimersByTimeAsync(5_000);
    await admitted;
    store.holds = () => false;
    for (const operation of store.held.splice(0)) operation.run();
    expect(await admits(quota)).toBe(true);
  });
});
