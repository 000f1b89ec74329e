import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatOffset, parseOffset } from './places.ts';

/** All text that the base protocol allows as an offset, which a backend may therefore return. */
const backendOffset = fc
  .string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF_-.~!*'), minLength: 1, maxLength: 100 })
  .filter((text) => text !== 'now' && !/!\d{1,12}$/.test(text));

describe('offsets', () => {
  it('are the backend’s own at its boundaries, and are parsed back unchanged everywhere', () => {
    fc.assert(
      fc.property(backendOffset, fc.nat(), (base, skip) => {
        const offset = formatOffset({ base, skip });
        expect(offset === base).toBe(skip === 0);
        expect(offset).toMatch(/^[^,&=?/\s]{1,255}$/);
        expect(parseOffset(offset)).toEqual({ base, skip });
      }),
    );
  });

  it('increase as text within a response, and stay below the offset at its end', () => {
    const digits = fc.nat({ max: 999_999 }).map((n) => String(n).padStart(16, '0'));
    fc.assert(
      fc.property(digits, digits, fc.nat(), fc.nat(), (one, other, a, b) => {
        fc.pre(one !== other && a !== b);
        const [low, high] = [one, other].sort() as [string, string];
        const [less, more] = [a, b].sort((x, y) => x - y) as [number, number];
        const inner = formatOffset({ base: low, skip: less });
        expect(inner < formatOffset({ base: low, skip: more })).toBe(true);
        expect(inner < high).toBe(true);
        expect(formatOffset({ base: '-1', skip: less }) < low).toBe(true);
      }),
    );
  });

  it.each(['', ' ', 'now', 'a b', 'a\nb', 'a,b', 'a&b', 'a=b', 'a?b', 'a/b', 'ä', 'x'.repeat(256)])(
    'are never %j',
    (text) => {
      expect(() => parseOffset(text)).toThrow(expect.objectContaining({ code: 'INVALID_OFFSET' }));
    },
  );
});
