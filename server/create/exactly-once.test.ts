import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../shared/logger.ts';
import { MAX_TIMER_MS } from '../shared/max-timer.ts';
import type { Claimed } from './claims.ts';
import { ExactlyOnce, type CreatedStream } from './exactly-once.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const nothing = () => Promise.resolve();
const MINE: Claimed = { mine: true, id: 'id', keep: nothing, free: nothing, abort: nothing };

it('does not cancel the upstream request early if upstreamHeadersTimeoutMs is the longest possible', async () => {
  const exactlyOnce = new ExactlyOnce({
    claims: { idOf: () => 'id', claim: () => Promise.resolve(MINE) },
    waitMs: MAX_TIMER_MS,
    logger: silentLogger,
  });
  const abortController = new AbortController();
  const use = { subject: undefined, key: 'key', fingerprint: 'request', streamId: 'stream' };
  const never = () => new Promise<CreatedStream>(() => undefined);
  const first = exactlyOnce.run(use, never, abortController).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(MAX_TIMER_MS);
  expect(await first).toMatchObject({ code: 'UPSTREAM_TIMEOUT' });
  // A caller of another process waits.
  exactlyOnce.keepWaiting('stream');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(abortController.signal.aborted).toBe(false);
});
