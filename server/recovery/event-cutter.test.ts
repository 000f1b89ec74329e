import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EventCutter } from './event-cutter.ts';

const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
const value = fc.constantFrom('', 'a', 'é', '🙂 text', ':x', '{"a":1}');
const line = fc
  .tuple(fc.constantFrom('data:', 'id: ', 'event: ', ': ', 'data'), value)
  .map(([a, b]) => a + b);
const event = fc
  .tuple(fc.array(line, { minLength: 1, maxLength: 4 }), lineEnd)
  .map(([lines, end]) => `${lines.join(end)}${end}${end}`);
/** A stream with one kind of line end for each event, and how its bytes are split into chunks. */
const stream = fc.record({
  bom: fc.boolean(),
  events: fc.array(event, { maxLength: 8 }),
  rest: fc.constantFrom('', 'data: not whole', 'data: 1\n', 'data: 1\r\n', 'dat'),
  cuts: fc.array(fc.nat(200), { maxLength: 20 }),
});

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

it('passes complete events on at once and holds the rest, however the bytes are split', () => {
  fc.assert(
    fc.property(stream, ({ bom, events, rest, cuts }) => {
      const whole = Buffer.from((bom ? '\ufeff' : '') + events.join(''));
      // An LF after a final CR would belong to it, so the rest begins with another character.
      const bytes = Buffer.concat([whole, Buffer.from(rest)]);
      const cutter = new EventCutter();
      const boundaries = new Set([0]);
      let position = Buffer.byteLength(bom ? '\ufeff' : '');
      for (const each of events) {
        position += Buffer.byteLength(each);
        boundaries.add(position);
        // Before the LF of the last CR LF.
        if (each.endsWith('\r\n')) boundaries.add(position - 1);
      }
      let received = 0;
      let passed = Buffer.alloc(0);
      for (const chunk of split(bytes, cuts)) {
        passed = Buffer.concat([passed, cutter.push(chunk)]);
        received += chunk.length;
        const complete = [...boundaries].filter((boundary) => boundary <= received);
        expect(passed.length).toBe(Math.max(...complete));
      }
      expect(passed).toEqual(bom && events.length === 0 ? Buffer.alloc(0) : whole);
      expect(Buffer.concat([passed, cutter.rest()])).toEqual(bytes);
      expect(cutter.rest()).toHaveLength(0);
    }),
    { numRuns: 500 },
  );
});

it('passes everything on once an event is longer than the limit', () => {
  const cutter = new EventCutter(10);
  expect(cutter.push(Buffer.from('data: 1\n\nda'))).toEqual(Buffer.from('data: 1\n\n'));
  expect(cutter.push(Buffer.from('ta: 123'))).toHaveLength(0);
  expect(cutter.isOversized).toBe(false);
  expect(Buffer.from(cutter.push(Buffer.from('456'))).toString()).toBe('data: 123456');
  expect(cutter.isOversized).toBe(true);
  expect(Buffer.from(cutter.push(Buffer.from('7'))).toString()).toBe('7');
});
