import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../store/types.ts';
import { SseEncoder } from './sse-frames.ts';

const frameOf = (text: string | Uint8Array, more: Partial<Frame> = {}): Frame => ({
  bytes: Buffer.from(text as string),
  next: '0000000000000200',
  upToDate: true,
  ...more,
});

/** Encodes a frame as compact events, and parses what a socket sends. */
function compact(frame: Frame): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  parser.feed(Buffer.from(new SseEncoder().encodeCompact(frame), 'latin1').toString());
  return events;
}

/** Text and bytes around everything that SSE treats in a special way. */
const piece = fc.oneof(
  fc.constantFrom(
    'data: {"a":1}\n\n',
    '\n',
    '\n\n',
    '\r',
    '\r\n',
    ' ',
    ':',
    '\0',
    '\ufeff',
    '\u2028',
    'ü',
    '💩',
  ),
  fc.string(),
  fc.uint8Array({ maxLength: 4 }),
);
const bytesOf = fc
  .array(piece, { minLength: 1, maxLength: 12 })
  .map((pieces) => Buffer.concat(pieces.map((each) => Buffer.from(each as string))))
  .filter(({ length }) => length > 0);

describe('compact events', () => {
  it('[COMPACT-1][COMPACT-2] contain exactly the bytes of the frame, as text or as base64', () => {
    fc.assert(
      fc.property(bytesOf, (bytes) => {
        const [event, ...rest] = compact(frameOf(bytes));
        expect(rest).toEqual([]);
        expect(event?.id).toBe('0000000000000200');
        const isBase64 = event?.event === 'base64';
        expect(event?.event).toBe(isBase64 ? 'base64' : undefined);
        expect(Buffer.from(event!.data, isBase64 ? 'base64' : 'utf8')).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('[COMPACT-2] are text unless base64 is shorter', () => {
    for (const text of ['data: {"a":1}\n\n', ' x\n', '\ufeff größe \u2028\0💩', 'a\nb\n']) {
      expect(compact(frameOf(text))).toMatchObject([{ event: undefined, data: text }]);
    }
    expect(compact(frameOf('\n'.repeat(20)))).toMatchObject([{ event: 'base64' }]);
  });

  it('take at most 250 bytes for an event of 200 bytes', () => {
    const event = `data: ${'x'.repeat(192)}\n\n`;
    expect(new SseEncoder().encodeCompact(frameOf(event)).length).toBeLessThanOrEqual(250);
  });

  it('[COMPACT-3] are followed by a control event only at the end of the stream', () => {
    const end = { outcome: 'complete' } as const;
    expect(compact(frameOf('x', { end })).map(({ event }) => event)).toEqual([undefined, 'control']);
    expect(compact(frameOf('', { end })).map(({ event }) => event)).toEqual(['control']);
  });
});

it('encodes a frame once for all readers of a format', () => {
  let reads = 0;
  const bytes = Buffer.from('data: x\n\n');
  const frame: Frame = {
    get bytes() {
      reads += 1;
      return bytes;
    },
    next: '0000000000000009',
    upToDate: true,
  };
  const encoder = new SseEncoder();
  const events = encoder.encode(frame, '7', true);
  const compactEvents = encoder.encodeCompact(frame);
  expect(compactEvents).not.toBe(events);
  const afterFirst = reads;
  for (let i = 0; i < 10; i += 1) {
    expect(encoder.encode(frame, '7', true)).toBe(events);
    expect(encoder.encodeCompact(frame)).toBe(compactEvents);
  }
  expect(reads).toBe(afterFirst);
});
