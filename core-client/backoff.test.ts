import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { backoff, retryAfter } from './backoff.ts';

describe('backoff', () => {
  it('has full jitter: a delay between zero and the doubled base', () => {
    const random = vi.spyOn(Math, 'random');
    random.mockReturnValue(0);
    expect([1, 2, 5].map((attempt) => backoff(attempt))).toEqual([0, 0, 0]);
    random.mockReturnValue(1);
    expect([1, 2, 3, 4].map((attempt) => backoff(attempt))).toEqual([250, 500, 1000, 2000]);
    expect(backoff(9, 2_000)).toBe(2_000);
    random.mockRestore();
  });

  it('is at most ten seconds for any attempt', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), (attempt) => {
        const ms = backoff(attempt);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(10_000);
      }),
    );
  });
});

describe('Retry-After', () => {
  const read = (value?: string) =>
    retryAfter(new Headers(value === undefined ? {} : { 'retry-after': value }));

  it('is read as seconds or as a date', () => {
    expect(read('3')).toBe(3000);
    expect(read(' 0.5 ')).toBe(500);
    const date = new Date(Date.now() + 60_000).toUTCString();
    expect(read(date)).toBeGreaterThan(58_000);
    expect(read(date)).toBeLessThanOrEqual(60_000);
  });

  it('is compared as a date with the Date of the response, not with the clock of the client', () => {
    const date = (ms: number) => new Date(ms).toUTCString();
    const headers = new Headers({ 'retry-after': date(60_000), date: date(50_000) });
    expect(retryAfter(headers)).toBe(10_000);
  });

  it('is ignored if it is absent, in the past or malformed', () => {
    for (const value of [undefined, '', '0', '-5', 'soon', new Date(0).toUTCString()])
      expect(read(value)).toBe(0);
  });
});
