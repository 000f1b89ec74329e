import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { PausableRead } from './client-memory.ts';
import { freeConnection } from './free-connection.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const pauses: string[] = [];
  const read = (name: string): PausableRead => ({
    pause: (until) => {
      pauses.push(name);
      void until.then(() => pauses.push(`${name} continues`));
    },
  });
  const own = read('own');
  return {
    pauses,
    resume: freeConnection(own, [read('a'), own, read('b')]),
  };
}

it('pauses the other reads only if the stop has no response after 500 ms', async () => {
  const { pauses, resume } = setUp();
  await vi.advanceTimersByTimeAsync(499);
  expect(pauses).toEqual(['own']);
  await vi.advanceTimersByTimeAsync(1);
  expect(pauses).toEqual(['own', 'a', 'b']);
  resume();
  await vi.advanceTimersByTimeAsync(0);
  expect(pauses.slice(3)).toEqual(['own continues', 'a continues', 'b continues']);
  expect(vi.getTimerCount()).toBe(0);
});

it('pauses reads for at most 5 seconds, even if the stop hangs', async () => {
  const { pauses } = setUp();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(pauses).toContain('own continues');
  expect(pauses).toContain('b continues');
});
