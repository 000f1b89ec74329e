import { expect, it } from 'vitest';
import { isWorthRetrying, pauseBefore, retryAfterMs } from './backoff.ts';

it('waits longer before each attempt, up to 10 s, by a random part', () => {
  const pauses = (random: number) => [0, 1, 2, 3, 9].map((attempt) => pauseBefore(attempt, () => random));
  expect(pauses(0)).toEqual([0, 125, 250, 500, 5_000]);
  expect(pauses(1)).toEqual([100, 250, 500, 1_000, 10_000]);
});

it('reads Retry-After in seconds and as a date', () => {
  const now = Date.parse('Thu, 01 Jan 2026 00:00:00 GMT');
  expect(retryAfterMs('3', now)).toBe(3_000);
  expect(retryAfterMs('Thu, 01 Jan 2026 00:00:02 GMT', now)).toBe(2_000);
  expect(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now)).toBe(0);
  expect(retryAfterMs('soon', now)).toBe(0);
  expect(retryAfterMs(undefined, now)).toBe(0);
});

it('retries temporary failures', () => {
  expect([500, 503, 408, 409, 425, 429].every(isWorthRetrying)).toBe(true);
  expect([400, 401, 403, 404, 410, 422].some(isWorthRetrying)).toBe(false);
});
