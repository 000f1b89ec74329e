import { expect, it } from 'vitest';
import { MAX_EVENT_BYTES } from './event-cutter.ts';
import { NewEvents } from './new-events.ts';

it('passes on an event that is too long to be held, although it is the first new one', () => {
  const fresh = new NewEvents(({ data }) => data === 'old');
  const long = Buffer.from(`data: ${'x'.repeat(MAX_EVENT_BYTES)}\n\ndata: next\n\n`);
  const passed = [Buffer.from('data: old\n\n'), long.subarray(0, -20), long.subarray(-20)].map((chunk) =>
    fresh.push(chunk),
  );
  expect(fresh.hasBegun).toBe(true);
  expect(Buffer.concat(passed).equals(long)).toBe(true);
});
