import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSseParser } from './sse-lines.ts';

function parse(chunks: readonly string[]): string[] {
  const seen: string[] = [];
  const feed = createSseParser(
    (name, data) => seen.push(`${name}|${data}`),
    (text) => seen.push(`:${text}`),
  );
  chunks.forEach(feed);
  return seen;
}

it('finds the same events and comments as eventsource-parser for any split of the text', () => {
  const piece = fc.constantFrom(
    'data',
    'event',
    'id',
    ':',
    ': ',
    ' ',
    '\n',
    '\n',
    '\r',
    '\r\n',
    'x',
    'ü',
    'data: a\n',
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 40 }),
      fc.array(fc.nat(80), { maxLength: 6 }),
      (pieces, cuts) => {
        // The last line ensures that a final CR is not half of a CRLF.
        const text = `${pieces.join('')}\nx\n\n`;
        const seen: string[] = [];
        const reference = createParser({
          onEvent: ({ event = '', data }) => seen.push(`${event}|${data}`),
          onComment: (comment) => seen.push(`:${comment}`),
        });
        reference.feed(text);
        const at = [0, ...cuts.map((cut) => cut % text.length).sort((a, b) => a - b), text.length];
        expect(parse(at.slice(1).map((end, index) => text.slice(at[index], end)))).toEqual(seen);
      },
    ),
    { numRuns: 2_000 },
  );
});

it('throws if an event is too long', () => {
  const chunk = 'x'.repeat(2 ** 22);
  expect(() => parse(Array<string>(17).fill(chunk))).toThrow(RangeError);
  expect(() => parse(Array<string>(17).fill(`data:${chunk.slice(20)}\n\n`))).not.toThrow();
});

it('reads a long line in many chunks in linear time', () => {
  const chunks = Array<string>(4_000).fill('x'.repeat(4_096));
  const start = performance.now();
  parse(['data:', ...chunks, '\n\n']);
  expect(performance.now() - start).toBeLessThan(2_000);
});
