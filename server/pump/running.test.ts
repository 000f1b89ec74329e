import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { INTERRUPTED } from '../store/interrupted.ts';
import { RunningStreams } from './running.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const DAY_MS = 86_400_000;

it.each([Infinity, 2 ** 31])('waits for running streams if drainMs is %d', async (drainMs) => {
  const running = new RunningStreams({ maxConcurrentStreams: 10, maxConcurrentStreamsPerSubject: 10 });
  const abortController = new AbortController();
  const slot = running.take('user', 'stream', abortController);
  slot.start();
  let isClosed = false;
  const closing = running.close(drainMs, INTERRUPTED).then(() => (isClosed = true));
  await vi.advanceTimersByTimeAsync(DAY_MS);
  expect(isClosed).toBe(false);
  expect(abortController.signal.aborted).toBe(false);
  slot.release();
  await closing;
});
