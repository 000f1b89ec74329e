import { describe, expect, it } from 'vitest';
import { rangeOf } from './conditional.ts';

const ETAG = '"a:upstream"';

describe('rangeOf', () => {
  it.each([
    ['bytes=0-0', { first: 0, last: 0 }],
    ['bytes=0-9', { first: 0, last: 9 }],
    ['bytes=5-', { first: 5, last: 9 }],
    ['BYTES=5-7', { first: 5, last: 7 }],
    ['bytes= 5-7 ', { first: 5, last: 7 }],
    ['bytes=5-99999999999999999999', { first: 5, last: 9 }],
    ['bytes=-3', { first: 7, last: 9 }],
    ['bytes=-30', { first: 0, last: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=99999999999999999999-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=7-5', undefined],
    ['bytes=-', undefined],
    ['bytes=a-b', undefined],
    ['bytes=1.5-2', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=0-1, bytes=3-4', undefined],
    ['items=0-1', undefined],
    ['', undefined],
  ])('takes %j of 10 bytes for %j', (range, expected) => {
    expect(rangeOf({ range }, ETAG, 10)).toEqual(expected);
  });

  it.each([
    ['bytes=0-', 'unsatisfiable'],
    ['bytes=-5', undefined],
  ])('takes %j of an empty answer for %j', (range, expected) => {
    expect(rangeOf({ range }, ETAG, 0)).toEqual(expected);
  });

  it('compares If-Range strongly', () => {
    const range = 'bytes=0-1';
    expect(rangeOf({ range, 'if-range': ETAG }, ETAG, 10)).toEqual({ first: 0, last: 1 });
    for (const other of [`W/${ETAG}`, '"b"', 'Thu, 26 Nov 2026 12:00:00 GMT']) {
      expect(rangeOf({ range, 'if-range': other }, ETAG, 10)).toBeUndefined();
    }
  });
});
