import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatOffset, parseOffset } from './byte-offsets.ts';

const position = fc.nat({ max: Number.MAX_SAFE_INTEGER });

describe('byte offsets', () => {
  it('represent every position, and sort as the positions do', () => {
    fc.assert(
      fc.property(position, position, (a, b) => {
        expect(parseOffset(formatOffset(a), Number.MAX_SAFE_INTEGER)).toBe(a);
        expect(formatOffset(a) < formatOffset(b)).toBe(a < b);
      }),
    );
  });

  it('accept -1 as the beginning of the stream', () => {
    expect(parseOffset('-1', 0)).toBe(0);
    expect(parseOffset('0000000000000000', 0)).toBe(0);
  });

  it.each([
    '0000000000000011',
    '9999999999999999',
    '10',
    '00000000000000005',
    ' 000000000000005',
    '000000000000000x',
  ])('are refused after the tail and when malformed: %j', (offset) => {
    expect(() => parseOffset(offset, 10)).toThrow(expect.objectContaining({ code: 'INVALID_OFFSET' }));
  });

  it('reject any other text', () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !/^[0-9]{16}$/.test(text) && text !== '-1'),
        (text) => {
          expect(() => parseOffset(text, Number.MAX_SAFE_INTEGER)).toThrow(
            expect.objectContaining({ code: 'INVALID_OFFSET' }),
          );
        },
      ),
    );
  });
});
