import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatOffset, parseOffset } from './byte-offsets.ts';

const position = fc.nat({ max: Number.MAX_SAFE_INTEGER });

it('offsets stand for every position, and are in its order as text', () => {
  fc.assert(
    fc.property(position, position, (a, b) => {
      expect(parseOffset(formatOffset(a))).toBe(a);
      expect(formatOffset(a) < formatOffset(b)).toBe(a < b);
    }),
  );
  expect(parseOffset('-1')).toBe(0);
});

it('offsets are nothing else than what was given out', () => {
  const refused = (text: string): void => {
    expect(() => parseOffset(text)).toThrow(expect.objectContaining({ code: 'INVALID_OFFSET' }));
  };
  const other = fc.string().filter((text) => !/^(\d{16}|-1)$/.test(text));
  fc.assert(fc.property(other, refused));
  refused('9999999999999999');
});
