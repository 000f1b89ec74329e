import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_EVENT_BYTES, SseEvents, type SseEvent } from './sse-events.ts';

function eventsOf(
  chunks: readonly (Uint8Array | string)[],
  notable?: RegExp,
): { name: string; data: string | undefined }[] {
  const events: SseEvent[] = [];
  const parser = new SseEvents((event) => events.push(event));
  for (const chunk of chunks) parser.push(Buffer.from(chunk), notable);
  return events.map(({ name, data }) => ({
    name,
    data: data === undefined ? undefined : Buffer.from(data, 'latin1').toString('utf8'),
  }));
}

/** Splits at pseudo-random positions derived from a list of small numbers. */
function split(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length]!;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return chunks;
}

it('finds the events that eventsource-parser finds, with every line end and wherever chunks are split', () => {
  const line = fc.constantFrom(
    'data: a',
    'data:é🌊',
    'data',
    'data:  two',
    'event: x',
    'event:',
    'event',
    ': hi',
    'id: 1',
    '',
    '',
  );
  const end = fc.constantFrom('\n', '\r\n', '\r');
  const text = fc.array(fc.tuple(line, end), { maxLength: 30 }).map((lines) => lines.flat().join(''));
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(text, sizes, fc.constantFrom('', '\uFEFF'), (body, chunkSizes, mark) => {
      // The last LF lets eventsource-parser see that a CR before it was a line end.
      const bytes = Buffer.from(`${mark}${body}: end\n`);
      const expected: { name: string; data: string }[] = [];
      createParser({ onEvent: ({ event, data }) => expected.push({ name: event ?? '', data }) }).feed(
        `${body}: end\n`,
      );
      expect(eventsOf(split(bytes, chunkSizes))).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

it('ends an event at a CR that is the last byte', () => {
  expect(eventsOf(['data: a\r', '\r'])).toEqual([{ name: '', data: 'a' }]);
  expect(eventsOf(['data: a\r\n\r'])).toEqual([{ name: '', data: 'a' }]);
  expect(eventsOf(['data: a\r\n\r', '\ndata: b\n\n'])).toHaveLength(2);
});

it('ignores an event without its final empty line', () => {
  expect(eventsOf(['data: a\n\ndata: b\n'])).toEqual([{ name: '', data: 'a' }]);
});

it('skips the data of an event that is too long, keeps its name, and continues with the next one', () => {
  const megabyte = Buffer.alloc(1_048_576, 'a');
  const long = Array.from({ length: MAX_EVENT_BYTES / megabyte.length + 1 }, () => megabyte);
  expect(eventsOf(['event: big\ndata: ', ...long, '\ndata: more\n\ndata: b\n\n'])).toEqual([
    { name: 'big', data: undefined },
    { name: '', data: 'b' },
  ]);
});

it('finds every notable event wherever chunks are split', () => {
  const line = fc.constantFrom('data: a', 'data: two', 'data', 'event: two', ': hi', '', '');
  const end = fc.constantFrom('\n', '\n', '\r\n', '\r');
  const text = fc.array(fc.tuple(line, end), { maxLength: 30 }).map((lines) => lines.flat().join(''));
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
  const isNotable = ({ name, data }: { name: string; data: string | undefined }) =>
    name === 'two' || data?.includes('two');
  fc.assert(
    fc.property(text, sizes, (body, chunkSizes) => {
      const chunks = split(Buffer.from(body), chunkSizes);
      expect(eventsOf(chunks, /two/).filter(isNotable)).toEqual(eventsOf(chunks).filter(isNotable));
    }),
    { numRuns: 500 },
  );
});

it('skips whole events that are not notable', () => {
  const chunks = ['data: a\n\n', 'data: a\r\n\r\n', 'data: a\n\ndata: two\n\n', 'data: a\n', '\n'];
  expect(eventsOf(chunks, /two/).map(({ data }) => data)).toEqual(['a', 'two', 'a']);
});
