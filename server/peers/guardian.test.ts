import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ManualStore } from '../../tests/support/manual-store.ts';
import { silentLogger } from '../shared/logger.ts';
import { Guardian } from './guardian.ts';

const INIT = { contentType: '', ttlSeconds: 60, metadata: { owner: 'dead' } };
let store: ManualStore;

beforeEach(() => {
  store = new ManualStore();
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

async function watchOne() {
  await store.create('stream', INIT);
  const processes = { id: 'here', isAlive: () => Promise.resolve(false) };
  const guardian = new Guardian({
    store,
    processes,
    logger: silentLogger,
    isRunning: () => false,
    adopt: () => Promise.resolve(false),
    close: (id, { fence }, end) => store.close(id, end, undefined, fence),
  });
  const release = guardian.watch('stream', (await store.head('stream'))!);
  return { guardian, release };
}

const closes = () => store.calls.filter((call) => call === 'close stream').length;

it('closes the stream of a dead process once while a reader keeps waiting', async () => {
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
  expect(store.calls.filter((call) => call === 'head stream')).toHaveLength(2);
  guardian.stop();
});

it('does not close a stream that another process adopts at the same moment', async () => {
  store.holds = (name) => name === 'close';
  const { guardian } = await watchOne();
  await vi.advanceTimersByTimeAsync(1_000);
  const closing = await store.nextHeld();
  await store.adopt('stream', 0, { owner: 'adopter' });
  closing.run();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(store.logs.get('stream')?.end).toBeUndefined();
  guardian.stop();
});

it('closes an adopted stream once its adopter is dead', async () => {
  await store.create('stream', INIT);
  const dead = new Set(['dead']);
  const processes = { id: 'here', isAlive: (owner: string) => Promise.resolve(!dead.has(owner)) };
  const guardian = new Guardian({
    store,
    processes,
    logger: silentLogger,
    isRunning: () => false,
    adopt: () => Promise.resolve(false),
    close: (id, { fence }, end) => store.close(id, end, undefined, fence),
  });
  guardian.watch('stream', (await store.head('stream'))!);
  await store.adopt('stream', 0, { owner: 'adopter' });
  await vi.advanceTimersByTimeAsync(3_000);
  expect(closes()).toBe(0);
  dead.add('adopter');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(store.logs.get('stream')?.end?.outcome).toBe('interrupted');
  guardian.stop();
});
