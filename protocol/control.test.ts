import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseControlEvent, type ControlEvent } from './control.ts';
import { OUTCOMES } from './outcomes.ts';

describe('parseControlEvent', () => {
  it('returns the fields that were written and drops unknown ones', () => {
    const known = fc.record(
      {
        streamNextOffset: fc.string(),
        streamCursor: fc.string(),
        upToDate: fc.constant(true),
        streamClosed: fc.constant(true),
        upstreamState: fc.constant('pending' as const),
        upstreamHead: fc.record(
          {
            status: fc.nat(),
            contentType: fc.string(),
            headers: fc.array(fc.tuple(fc.string(), fc.string())),
          },
          { requiredKeys: ['status', 'headers'] },
        ),
        upstreamOutcome: fc.constantFrom(...OUTCOMES),
        upstreamError: fc.record({ code: fc.string(), message: fc.string() }),
      },
      { requiredKeys: ['streamNextOffset'] },
    );
    const unknown = fc.dictionary(
      fc.string().map((name) => `x-${name}`),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(known, unknown, (event, more) => {
        expect(parseControlEvent(JSON.stringify({ ...more, ...event }))).toEqual({ ...event });
      }),
    );
  });

  it('treats a field of the wrong type as absent', () => {
    const wrong = {
      streamNextOffset: '7',
      streamCursor: 12,
      upToDate: 'true',
      streamClosed: 1,
      upstreamOutcome: 7,
      upstreamError: { code: 'X' },
      upstreamState: 'unknown',
      upstreamHead: { status: '200', headers: [] },
    };
    expect(parseControlEvent(JSON.stringify(wrong))).toEqual({ streamNextOffset: '7' });
    expect(parseControlEvent('{"streamNextOffset":"7","upstreamError":null,"upToDate":false}')).toEqual({
      streamNextOffset: '7',
    });
  });

  it('returns undefined for anything else and never throws', () => {
    for (const data of ['', '{', 'null', '7', '"x"', '[]', '{}', '{"streamNextOffset":7}']) {
      expect(parseControlEvent(data)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (data) => {
        const event: ControlEvent | undefined = parseControlEvent(data);
        expect(event === undefined || typeof event.streamNextOffset === 'string').toBe(true);
      }),
    );
  });
});
