import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noticeIntervalMs, parseUnreadTimeout, unreadEntries, unreadTimeoutOf } from './timeout.ts';

describe('Unread-Timeout', () => {
  it.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ['1', 1_000],
    ['300', 300_000],
    ['999999999', 999_999_999_000],
    ['infinite', Infinity],
  ])('reads %j as %j milliseconds', (value, ms) => {
    expect(parseUnreadTimeout(value)).toBe(ms);
  });

  it.each(['', '0', '00', '-1', '+5', '1.5', '1e3', '5s', 'Infinity', 'INFINITE', '1000000000', '5, 6', '५'])(
    'refuses %j with a message that shows a valid value',
    (value) => {
      expect(() => parseUnreadTimeout(value)).toThrow(
        expect.objectContaining({
          code: 'INVALID_REQUEST',
          message: expect.stringMatching(
            /whole number of seconds.*"infinite".*Unread-Timeout: 300/,
          ) as string,
        }),
      );
    },
  );

  it('refuses any text, or reads at least a second from it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double().map(String), fc.integer().map(String)), (value) => {
        let ms: number | undefined;
        try {
          ms = parseUnreadTimeout(value);
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
          return;
        }
        expect(ms).toBeGreaterThanOrEqual(1_000);
      }),
    );
  });
});

describe('the timeout of a stream', () => {
  const NEVER = Number.MAX_SAFE_INTEGER;

  it.each<[asked: number | undefined, option: number, timeout: number | undefined]>([
    [undefined, NEVER, undefined],
    [undefined, 5_000, 5_000],
    [2_000, NEVER, 2_000],
    [2_000, 5_000, 2_000],
    [9_000, 5_000, 5_000],
    [Infinity, 5_000, undefined],
    [Infinity, NEVER, undefined],
  ])('if %j was asked for and the option is %j, is %j', (asked, option, timeout) => {
    expect(unreadTimeoutOf(unreadEntries(asked, option))).toBe(timeout);
  });

  it('is absent from the metadata of a stream that has none', () => {
    expect(unreadEntries(undefined, NEVER)).toEqual({});
  });

  it('is notified four times in a timeout, and at least every 30 s', () => {
    expect([noticeIntervalMs(1_000), noticeIntervalMs(3_600_000)]).toEqual([250, 30_000]);
  });
});
