import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCall } from './call.ts';
import { DurableNetworkError } from './errors.ts';

const LIMITS = { timeoutMs: 30_000, capMs: 2_000 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Runs a request against a server that is temporarily down, with random jitter. */
async function send(outageMs: number) {
  const call = createCall(
    { retryTimeoutMs: LIMITS.timeoutMs, reconnectTimeoutMs: 300_000, heartbeatTimeoutMs: 30_000 },
    {},
  );
  const start = Date.now();
  const sending = call
    .persist('request', async () => {
      if (Date.now() - start < outageMs) throw new TypeError('Failed to fetch');
      return 'sent';
    })
    .catch((error: unknown) => error);
  let ms = 0;
  void sending.then(() => (ms = Date.now() - start));
  await vi.runAllTimersAsync();
  call.end('complete', 'complete');
  return { result: await sending, ms };
}

describe('persist', () => {
  it.each([2_000, 3_000, 4_000, 15_000, 29_900])('succeeds after an outage of %i ms', async (outageMs) => {
    for (let at = 0; at < 40; at++) {
      const { result, ms } = await send(outageMs);
      expect(result).toBe('sent');
      expect(ms).toBeLessThanOrEqual(outageMs + LIMITS.capMs);
    }
  });

  it('rejects when the time is over, not before and not much later', async () => {
    for (let at = 0; at < 40; at++) {
      const { result, ms } = await send(Infinity);
      expect(result).toBeInstanceOf(DurableNetworkError);
      expect(ms).toBeGreaterThanOrEqual(LIMITS.timeoutMs);
      expect(ms).toBeLessThan(LIMITS.timeoutMs + 100);
    }
  });
});
