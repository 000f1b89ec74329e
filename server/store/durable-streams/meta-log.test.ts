import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTCOMES } from '../../../protocol/outcomes.ts';
import type { StreamEnd, StreamInit } from '../types.ts';
import { adoptLine, createLine, endLine, foldMetaLog } from './meta-log.ts';

const init: StreamInit = { contentType: 'text/plain', ttlSeconds: 60, metadata: { a: 'b' } };
const aborted: StreamEnd = { outcome: 'aborted', error: { code: 'C', message: 'm' } };

const anyInit = fc.record({
  contentType: fc.string(),
  ttlSeconds: fc.integer({ min: 1, max: 1e6 }),
  metadata: fc.dictionary(
    fc.string().filter((key) => key !== '__proto__'),
    fc.string(),
    { noNullPrototype: true },
  ),
});
const anyEnd: fc.Arbitrary<StreamEnd> = fc.oneof(
  fc.constant<StreamEnd>({ outcome: 'complete' }),
  fc.record({
    outcome: fc.constantFrom(...OUTCOMES),
    error: fc.record({ code: fc.string(), message: fc.string() }),
  }),
);

describe('the metadata log', () => {
  it('returns what was written', () => {
    fc.assert(
      fc.property(fc.uuid(), anyInit, anyEnd, (token, made, end) => {
        const text = createLine(token, made);
        expect(foldMetaLog(text)).toEqual({ token, init: made, fence: 0, logTtlSeconds: made.ttlSeconds });
        expect(foldMetaLog(text + endLine(token, end))).toMatchObject({ token, init: made, end });
      }),
    );
  });

  it('is empty before its first line is complete', () => {
    const text = createLine('t', init);
    for (let length = 0; length < text.length; length += 1) {
      expect(foldMetaLog(text.slice(0, length))).toBeUndefined();
    }
  });

  it('keeps the first end, and only that of its own stream', () => {
    const text = createLine('t', init) + endLine('other', aborted);
    expect(foldMetaLog(text)?.end).toBeUndefined();
    expect(foldMetaLog(text + endLine('t', aborted) + endLine('t', { outcome: 'complete' }))?.end).toEqual(
      aborted,
    );
  });

  it('replaces a stream that has ended with the first one that was created after it', () => {
    const text =
      createLine('first', init) +
      endLine('first', aborted) +
      createLine('second', { ...init, ttlSeconds: 30 }, 'first') +
      createLine('late', init, 'first') +
      createLine('stranger', init) +
      endLine('late', aborted);
    expect(foldMetaLog(text)).toEqual({
      token: 'second',
      init: { ...init, ttlSeconds: 30 },
      fence: 0,
      logTtlSeconds: 60,
    });
  });

  it('accepts the first of two adoptions with the same fence, and none after the end', () => {
    const adopt = (adopter: string, fence: number, token = 't') =>
      adoptLine({ token, adopter, fence, entries: { by: adopter } });
    const text = createLine('t', init) + adopt('x', 0, 'other') + adopt('a', 0) + adopt('b', 0);
    expect(foldMetaLog(text)).toMatchObject({
      adopter: 'a',
      fence: 1,
      init: { metadata: { a: 'b', by: 'a' } },
    });
    expect(foldMetaLog(text + adopt('b', 1) + endLine('t', aborted) + adopt('c', 2))).toMatchObject({
      adopter: 'b',
      fence: 2,
      end: aborted,
    });
  });

  it('reads lines of version 0.1, and refuses those of a newer release', () => {
    const lines = createLine('t', init) + endLine('t', aborted);
    expect(lines.match(/"v":1/g)).toHaveLength(2);
    expect(foldMetaLog(lines.replaceAll(',"v":1', ''))).toEqual(foldMetaLog(lines));
    expect(() => foldMetaLog(`${lines}{"note":"t","v":2}\n`)).toThrow(/version 2.*upgrade this process/);
  });

  it('ignores unknown and repeated lines', () => {
    const lines = [createLine('t', init), endLine('t', aborted)];
    const noise = fc.array(
      fc.oneof(
        fc.string().map((text) => `${text.replaceAll('\n', ' ')}\n`),
        fc.json({ maxDepth: 1 }).map((text) => `${text}\n`),
        fc.constantFrom(
          ...lines.slice(0, 1),
          '{"create":1}\n',
          '{"create":"x","after":"t"}\n',
          '{"end":"t","outcome":"so-so"}\n',
        ),
      ),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(noise, noise, (between, behind) => {
        const text = [lines[0], ...between, lines[1], ...behind].join('');
        expect(foldMetaLog(text)).toEqual({ token: 't', init, fence: 0, end: aborted, logTtlSeconds: 60 });
      }),
    );
  });
});
