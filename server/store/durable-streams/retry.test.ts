import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../shared/retry.ts';
import { backoffMs, isRetryable } from './retry.ts';

describe('retries', () => {
  it.each([408, 425, 429, 500, 502, 503, 504, 507, 599])('follow %i', (status) => {
    expect(isRetryable(status)).toBe(true);
  });

  it.each([200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 413, 501, 505])('do not follow %i', (status) => {
    expect(isRetryable(status)).toBe(false);
  });

  it('wait for the time in Retry-After, in seconds or until a date', () => {
    const now = Date.parse('2025-01-01T00:00:00Z');
    expect(parseRetryAfter('0', now)).toBe(0);
    expect(parseRetryAfter('7', now)).toBe(7_000);
    expect(parseRetryAfter('Wed, 01 Jan 2025 00:00:05 GMT', now)).toBe(5_000);
    expect(parseRetryAfter('Tue, 31 Dec 2024 00:00:00 GMT', now)).toBe(0);
    for (const nonsense of [undefined, '', 'soon', '-x', '1e999s']) {
      expect(parseRetryAfter(nonsense, now)).toBeUndefined();
    }
  });

  it('wait longer each time, with jitter, up to two seconds, and never less than the server requests', () => {
    const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(
        fc.nat({ max: 1_000 }),
        chance,
        fc.nat({ max: 10_000 }),
        (attempt, random, retryAfterMs) => {
          const full = Math.min(2_000, 25 * 2 ** attempt);
          const pause = backoffMs(attempt, 0, () => random);
          expect(pause).toBeGreaterThanOrEqual(full / 2);
          expect(pause).toBeLessThanOrEqual(full);
          expect(backoffMs(attempt, retryAfterMs, () => random)).toBe(Math.max(pause, retryAfterMs));
        },
      ),
    );
  });
});
