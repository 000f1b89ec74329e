import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Orphans } from '../coordination/types.ts';
import { silentLogger } from '../shared/logger.ts';
import { OrphanKeeper } from './orphans.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('continues or closes the other streams of dead processes if one of them fails', async () => {
  const orphans: Orphans[] = [
    { process: 'a', streamIds: ['unreadable', 'one'] },
    { process: 'b', streamIds: ['two'] },
  ];
  const forgotten: Orphans[] = [];
  const reconciled: string[] = [];
  const keeper = new OrphanKeeper({
    processes: {
      orphans: () => Promise.resolve(orphans),
      forget: (each) => Promise.resolve(void forgotten.push(each)),
    },
    async reconcile(streamId) {
      if (streamId === 'unreadable') throw new Error('a newer release wrote this stream');
      reconciled.push(streamId);
    },
    logger: silentLogger,
  });
  keeper.start();
  await vi.advanceTimersByTimeAsync(0);
  keeper.stop();
  expect(reconciled).toEqual(['one', 'two']);
  expect(forgotten).toEqual([
    { process: 'a', streamIds: ['one'] },
    { process: 'b', streamIds: ['two'] },
  ]);
});
