import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ManualStore } from '../../tests/support/manual-store.ts';
import { silentLogger } from '../shared/logger.ts';
import { Guardian } from './guardian.ts';
import type { Presence } from './presence.ts';

const INIT = { contentType: '', ttlSeconds: 60, metadata: { owner: 'dead' } };
let store: ManualStore;

beforeEach(() => {
  store = new ManualStore();
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

async function watchOne() {
  await store.create('stream', INIT);
  const presence = { id: 'here', isAlive: () => Promise.resolve(false) } as unknown as Presence;
  const guardian = new Guardian({ store, presence, logger: silentLogger, isRunning: () => false });
  const release = guardian.watch('stream', (await store.head('stream'))!);
  return { guardian, release };
}

const closes = () => store.calls.filter((call) => call === 'close stream').length;

it('closes the stream of a dead process once, although its reader stays', async () => {
  const { guardian, release } = await watchOne();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(closes()).toBe(1);
  expect(store.logs.get('stream')?.end?.outcome).toBe('interrupted');
  release();
  guardian.stop();
});

it('runs one pass at a time while the store is slow', async () => {
  store.holds = (name) => name === 'close';
  const { guardian } = await watchOne();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(closes()).toBe(1);
  (await store.nextHeld()).run();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(closes()).toBe(1);
  guardian.stop();
});

it('stops watching a stream that was deleted', async () => {
  const { guardian } = await watchOne();
  await store.delete('stream');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(closes()).toBe(1);
  guardian.stop();
});
