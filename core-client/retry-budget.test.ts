import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { READ_CAP_MS, REQUEST_CAP_MS } from './backoff.ts';
import { createRetryBudget, type RetrySettings } from './retry-budget.ts';

const SETTINGS: RetrySettings = {
  reconnectTimeoutMs: 300_000,
  retryTimeoutMs: 30_000,
  heartbeatTimeoutMs: 30_000,
};
/** Lengths of attempts, from nothing to more than all of the time. */
const attemptMs = fc.integer({ min: 0, max: 400_000 });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Runs failed attempts of the given lengths until the budget is used up. @returns the waits, in milliseconds. */
function spendAll(settings: RetrySettings, kind: 'request' | 'read', lengths: readonly number[]): number[] {
  const budget = createRetryBudget(settings);
  const waits: number[] = [];
  for (let index = 0; ; index++) {
    budget.begin();
    vi.setSystemTime(Date.now() + lengths[index % lengths.length]!);
    const next = budget.spend(kind, 0);
    if (!next) return waits;
    expect(next.attempt).toBe(waits.length + 1);
    waits.push(next.waitMs);
    vi.setSystemTime(Date.now() + next.waitMs);
  }
}

it('waits no longer than the limit of the attempt, and at most the whole time', () => {
  const kinds = [
    { kind: 'request', limitMs: SETTINGS.retryTimeoutMs, capMs: REQUEST_CAP_MS },
    { kind: 'read', limitMs: SETTINGS.reconnectTimeoutMs, capMs: READ_CAP_MS },
  ] as const;
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.array(attemptMs, { minLength: 1, maxLength: 5 }),
      ({ kind, limitMs, capMs }, lengths) => {
        const waits = spendAll(SETTINGS, kind, lengths);
        expect(Math.max(...waits)).toBeLessThanOrEqual(capMs);
        expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(limitMs);
        // An attempt that takes longer than all of the time leaves time for others.
        expect(waits.length).toBeGreaterThanOrEqual(4);
      },
    ),
  );
});

it('ends after `maxReconnectAttempts` attempts, unless there is no network', () => {
  const settings = { ...SETTINGS, maxReconnectAttempts: 2 };
  expect(spendAll(settings, 'request', [10])).toHaveLength(2);
  vi.stubGlobal('navigator', { onLine: false });
  const budget = createRetryBudget(settings);
  const attempts = Array.from({ length: 1_000 }, () => budget.spend('read', 0)?.attempt);
  expect(attempts.at(-1)).toBe(1_000);
});

it('begins again when it is restored', () => {
  const budget = createRetryBudget({ ...SETTINGS, maxReconnectAttempts: 1 });
  expect(budget.spend('read', 0)).toMatchObject({ attempt: 1 });
  expect(budget.spend('read', 0)).toBeUndefined();
  budget.restore();
  expect(budget.spend('read', 0)).toMatchObject({ attempt: 1 });
});

it('waits as long as the server asks, if that is shorter than the time that is left', () => {
  const budget = createRetryBudget(SETTINGS);
  expect(budget.spend('request', 20_000)).toEqual({ attempt: 1, waitMs: 20_000 });
  expect(budget.spend('request', 20_000)).toBeUndefined();
  budget.restore();
  expect(budget.spend('request', SETTINGS.retryTimeoutMs)).toBeUndefined();
});
