import { expect, it } from 'vitest';
import type { ProxyEvent } from '../../shared/events.ts';
import { Recorder } from './recorder.ts';

const streamId = 'answer';
const created: ProxyEvent = { type: 'created', streamId, upstream: 'http://model/v1', headersMs: 5 };
const released: ProxyEvent = { type: 'released', streamId };
const recovered: ProxyEvent = {
  ...{ type: 'recovered', streamId, attempt: 1, cause: 'interrupted', gapMs: 5, adopted: true },
};
const read = (type: 'read-begun' | 'read-ended'): ProxyEvent =>
  type === 'read-begun'
    ? { type, streamId, mode: 'sse' }
    : { type, streamId, mode: 'sse', bytes: 0, durationMs: 0 };

function record(...events: ProxyEvent[]): Recorder {
  const recorder = new Recorder({
    processId: 'here',
    bytesOf: () => undefined,
    running: () => 0,
    isDraining: () => false,
  });
  for (const event of events) recorder.onEvent(event);
  return recorder;
}

it('shows no answer that another process continues, but its readers and its timeline here', () => {
  const recorder = record(created, read('read-begun'), released);
  const { rows, elsewhere } = recorder.frameSince(undefined);
  expect(rows).toEqual([]);
  expect(elsewhere).toEqual({ [streamId]: 1 });
  const types = recorder.timelineOf(streamId)?.events.map(({ type }) => type);
  expect(types).toEqual(['created', 'reader-joined']);
  recorder.onEvent(read('read-ended'));
  expect(recorder.frameSince(undefined).elsewhere).toEqual({});
});

it('shows the readers that an answer had here before this process adopted it', () => {
  const recorder = record(read('read-begun'), recovered);
  expect(recorder.frameSince(undefined)).toMatchObject({
    rows: [{ id: streamId, readers: 1, isAdopted: true }],
    elsewhere: {},
  });
});
