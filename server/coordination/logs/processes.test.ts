import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ManualStore, type HeldOperation } from '../../../tests/support/manual-store.ts';
import { silentLogger } from '../../shared/logger.ts';
import { StoreError } from '../../store/types.ts';
import { Guardian } from '../../peers/guardian.ts';
import { LogProcesses } from './processes.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const INIT = { contentType: '', ttlSeconds: 60, metadata: {} };
const ignore = () => undefined;
const processOn = (store: ManualStore) => new LogProcesses({ store, logger: silentLogger, ttlSeconds: 60 });

it('[LIFE-9] a process does not close the stream of another one that could not renew its lease during an outage', async () => {
  const store = new ManualStore();
  const [owner, other] = [processOn(store), processOn(store)];
  await owner.start(ignore);
  await vi.advanceTimersByTimeAsync(100);
  await other.start(ignore);
  await store.create('stream', { ...INIT, metadata: { owner: owner.id } });
  const guardian = new Guardian({
    store,
    processes: other,
    logger: silentLogger,
    isRunning: () => false,
    adopt: () => Promise.resolve(false),
    close: (id, { fence }, end) => store.close(id, end, undefined, fence),
  });
  const release = guardian.watch('stream', (await store.head('stream'))!);
  // The store is unavailable for longer than the lease, then completes the pending requests.
  store.holds = () => true;
  await vi.advanceTimersByTimeAsync(7_000);
  store.holds = () => false;
  store.logs.delete(`proxy-${owner.id}`);
  store.logs.delete(`proxy-${other.id}`);
  // The other process receives its reply first.
  const late = store.held.splice(0);
  const expired = new StoreError('NOT_FOUND', 'the lease has expired');
  const isRenewal = ({ name, id }: HeldOperation) => name === 'read' && id === `proxy-${owner.id}`;
  for (const operation of late) if (!isRenewal(operation)) operation.fail(expired);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(store.logs.get('stream')?.end).toBeUndefined();
  expect(late.filter(isRenewal)).toHaveLength(1);
  for (const operation of late) if (isRenewal(operation)) operation.fail(expired);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(store.logs.get('stream')?.end).toBeUndefined();
  expect(await other.isAlive(owner.id)).toBe(true);

  // A process that is dead is detected.
  await owner.stop();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(store.logs.get('stream')?.end?.outcome).toBe('interrupted');
  release();
  guardian.stop();
  await other.stop();
});

it('a process counts as alive for one lease after an outage, although its lease has expired', async () => {
  const store = new ManualStore();
  const here = processOn(store);
  await here.start(ignore);
  expect(await here.isAlive('another')).toBe(false);
  store.holds = () => true;
  await vi.advanceTimersByTimeAsync(5_000);
  store.holds = () => false;
  expect(await here.isAlive('another')).toBe(true);
  for (const operation of store.held.splice(0)) operation.run();
  await vi.advanceTimersByTimeAsync(4_000);
  expect(await here.isAlive('another')).toBe(true);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await here.isAlive('another')).toBe(false);
  await here.stop();
});
