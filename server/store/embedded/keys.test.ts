import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chunkKey,
  chunkOffset,
  chunksOf,
  expiriesUntil,
  expiryKey,
  expirySid,
  expiryTime,
  openKey,
  openSid,
  sidOf,
  trashKey,
  trashSid,
} from './keys.ts';

const sid = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 21 - 1 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
  .map(([opening, serial]) => sidOf(opening, serial));
const position = fc.integer({ min: 0, max: 2 ** 47 });

describe('keys', () => {
  it('decode to the values that they were encoded from', () => {
    fc.assert(
      fc.property(sid, position, (id, at) => {
        expect(chunkOffset(chunkKey(id, at))).toBe(at);
        expect(openSid(openKey(id))).toBe(id);
        expect(trashSid(trashKey(id))).toBe(id);
        expect(expirySid(expiryKey(at, id))).toBe(id);
        expect(expiryTime(expiryKey(at, id))).toBe(at);
      }),
    );
  });

  it('sort chunks by stream, then by position', () => {
    fc.assert(
      fc.property(sid, sid, position, position, (a, b, from, to) => {
        const order = Math.sign(a === b ? from - to : a - b);
        expect(Buffer.compare(chunkKey(a, from), chunkKey(b, to))).toBe(order);
        const { start, end } = chunksOf(a);
        const isWithin =
          Buffer.compare(start, chunkKey(b, to)) <= 0 && Buffer.compare(chunkKey(b, to), end) < 0;
        expect(isWithin).toBe(a === b);
      }),
    );
  });

  it('find the expiries up to a time', () => {
    fc.assert(
      fc.property(sid, position, position, (id, time, now) => {
        const { start, end } = expiriesUntil(now);
        const key = expiryKey(time, id);
        expect(Buffer.compare(start, key) <= 0 && Buffer.compare(key, end) < 0).toBe(time <= now);
      }),
    );
  });
});
