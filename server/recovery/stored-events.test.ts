import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ManualStore } from '../../tests/support/manual-store.ts';
import type { Offset } from '../store/types.ts';
import { endsWithEvent, storedEvents, type LogReader } from './stored-events.ts';
import type { UpstreamEvent } from './types.ts';

async function logOf(text: string, positions: boolean): Promise<LogReader> {
  const store = new ManualStore();
  await store.create('s', { contentType: 'text/event-stream', ttlSeconds: 60, metadata: {} });
  if (text !== '') await store.append('s', Buffer.from(text));
  const reader: LogReader = {
    head: (id) => store.head(id),
    read: (id, offset, maxBytes) => store.read(id, offset, maxBytes),
  };
  if (!positions) return reader;
  const { tail } = (await store.head('s'))!;
  return {
    ...reader,
    positionOf: (offset: Offset) => Number(offset),
    offsetAt: (position) => String(position).padStart(tail.length, '0'),
  };
}

async function all(events: AsyncIterable<UpstreamEvent>): Promise<UpstreamEvent[]> {
  const seen: UpstreamEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

const event = fc.record({
  id: fc.option(fc.constantFrom('1', 'a b', ''), { nil: undefined }),
  type: fc.constantFrom('', 'ping', 'response.created'),
  data: fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant('x'.repeat(20_000))),
  end: fc.constantFrom('\n', '\r\n', '\r'),
});

it('reads the same events from the start and from the end', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 12 }), fc.boolean(), async (events, positions) => {
      const written = events.map(({ id, type, data, end }) => {
        const text = data.replace(/[\r\n]/g, '');
        const lines = [...(id === undefined ? [] : [`id: ${id}`]), ...(type === '' ? [] : [`event:${type}`])];
        return { event: { id, type, data: text }, bytes: [...lines, `data: ${text}`, '', ''].join(end) };
      });
      const text = written.map(({ bytes }) => `: comment\n\n${bytes}`).join('');
      const stored = storedEvents(await logOf(text, positions), 's');
      const expected = written.map((each) => each.event);
      expect(await all(stored.fromStart())).toEqual(expected);
      expect(await all(stored.fromEnd())).toEqual(expected.toReversed());
    }),
    { numRuns: 100 },
  );
});

it.each([
  ['', true],
  ['data: 1\n\n', true],
  ['data: 1\r\r', true],
  ['data: 1\r\n\r\n', true],
  ['data: 1\r\n\r', true],
  ['data: 1\n', false],
  ['data: 1\r\n', false],
  ['data: 1\n\nid', false],
])('reports whether a log ends with a whole event: %j is %s', async (text, isWhole) => {
  expect(await endsWithEvent(await logOf(text, true), 's')).toBe(isWhole);
  expect(await endsWithEvent(await logOf(text, false), 's')).toBe(isWhole);
});
