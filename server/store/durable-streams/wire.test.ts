import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isStreamId, metaName } from './wire.ts';

describe('ids', () => {
  it('are safe path segments, and never the name of a side stream', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 140 }), (text) => {
        if (!isStreamId(text)) return;
        expect(encodeURIComponent(text)).toBe(text);
        expect(new URL(text, 'http://x/base/').pathname).toBe(`/base/${text}`);
        expect(isStreamId(metaName(text))).toBe(false);
      }),
    );
    expect(isStreamId('a'.repeat(128))).toBe(true);
    expect(isStreamId('a'.repeat(129))).toBe(false);
  });
});
