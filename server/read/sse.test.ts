import { afterEach, expect, it, vi } from 'vitest';
import { FakeResponse } from '../../tests/support/fake-response.ts';
import { FakeStream } from '../../tests/support/fake-stream.ts';
import { silentLogger } from '../shared/logger.ts';
import { StoreError } from '../store/types.ts';
import { LiveReads } from './live-reads.ts';
import { SseEncoder } from './sse-frames.ts';
import { readSse } from './sse.ts';

const KEEP_ALIVE_MS = 1_000;

const responses: FakeResponse[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const { faults } of responses.splice(0)) expect(faults).toEqual([]);
});

async function begin({ res = new FakeResponse(), stream = new FakeStream(), isCompact = false } = {}) {
  vi.useFakeTimers();
  responses.push(res);
  const liveReads = new LiveReads(KEEP_ALIVE_MS);
  const onEnded = vi.fn();
  const reading = readSse({
    res: res.response,
    store: stream.store,
    streamId: 'id',
    offset: '0',
    cursor: undefined,
    isCompact,
    status: 200,
    headers: {},
    encoder: new SseEncoder(),
    liveReads,
    logger: silentLogger,
    onBegun: () => onEnded,
  });
  const beat = () => vi.advanceTimersByTime(KEEP_ALIVE_MS);
  return { res, stream, liveReads, onEnded, reading, beat };
}

it('writes nothing after the end while the client has not received the last bytes', async () => {
  const { res, stream, reading, beat, onEnded } = await begin();
  await reading;
  stream.add('first');
  res.accepts = false;
  stream.add('last', { outcome: 'complete' });
  expect(res.writableEnded).toBe(true);
  const { length } = res.written;
  // `close` has not been emitted yet: it follows when the client has received the rest.
  beat();
  res.drain();
  beat();
  stream.wake();
  beat();
  expect(res.written).toHaveLength(length);
  expect(onEnded).toHaveBeenCalledOnce();
});

it('writes nothing after the end when the stream is closed and the client has received everything', async () => {
  const { res, stream, reading, beat } = await begin();
  await reading;
  stream.add('last', { outcome: 'complete' });
  const { length } = res.written;
  beat();
  expect(res.written).toHaveLength(length);
});

it('writes nothing after the end when the store fails or the stream is deleted', async () => {
  for (const code of ['UNAVAILABLE', 'NOT_FOUND'] as const) {
    const { res, stream, reading, beat, onEnded } = await begin();
    await reading;
    const { length } = res.written;
    stream.fail(new StoreError(code, 'gone'));
    expect(code === 'NOT_FOUND' ? res.writableEnded : res.destroyed).toBe(true);
    beat();
    res.drain();
    expect(res.written).toHaveLength(length);
    expect(stream.stopped).toBe(true);
    expect(onEnded).toHaveBeenCalledOnce();
  }
});

it('writes nothing and releases the follower if the client disconnects before the stream is opened', async () => {
  const stream = new FakeStream();
  const letGo = stream.holdFollow();
  const { res, reading, onEnded, beat } = await begin({ stream });
  res.close();
  letGo();
  await reading;
  beat();
  expect(res.headersSent).toBe(false);
  expect(stream.stopped).toBe(true);
  expect(onEnded).toHaveBeenCalledOnce();
});

it('releases the follower when the client disconnects, and ignores a late wake-up', async () => {
  const { res, stream, reading, beat, onEnded } = await begin();
  await reading;
  const { length } = res.written;
  res.close();
  stream.add('late');
  beat();
  expect(res.written).toHaveLength(length);
  expect(stream.stopped).toBe(true);
  expect(onEnded).toHaveBeenCalledOnce();
});

it('sends keep-alive comments to an idle client, but not to one that is not reading', async () => {
  const { res, stream, reading, beat } = await begin();
  await reading;
  const before = res.written.length;
  beat();
  expect(res.written).toHaveLength(before + 1);
  res.accepts = false;
  stream.add('more');
  const { length } = res.written;
  beat();
  expect(res.written).toHaveLength(length);
});

it('sends keep-alive comments to the other clients if one response throws', async () => {
  const broken = await begin();
  await broken.reading;
  const { res } = broken;
  broken.res.write = () => {
    throw new Error('a middleware');
  };
  expect(() => broken.beat()).not.toThrow();
  expect(res.destroyed).toBe(true);
  expect(broken.stream.stopped).toBe(true);
});

it('ends the reads of a stream that another process continues at once, and no others', async () => {
  const { res, reading, liveReads, stream } = await begin();
  await reading;
  liveReads.endOf('another');
  expect(res.writableEnded).toBe(false);
  liveReads.endOf('id');
  expect(res.writableEnded).toBe(true);
  expect(stream.stopped).toBe(true);
});

it('disconnects a client that does not receive the last bytes on shutdown', async () => {
  const { res, stream, reading, liveReads } = await begin();
  await reading;
  res.accepts = false;
  stream.add('last', { outcome: 'complete' });
  const closing = liveReads.close(100);
  await vi.advanceTimersByTimeAsync(200);
  await closing;
  expect(res.destroyed).toBe(true);
});

it('[COMPACT-3] sends compact events without control events, and one control event at the end', async () => {
  const { res, stream, reading } = await begin({ isCompact: true });
  await reading;
  const before = res.text;
  expect(before).toContain('event: control');
  stream.add('first');
  stream.add('last', { outcome: 'complete' });
  const [first, last, control] = res.text.slice(before.length).split('\n\n');
  expect([first, last]).toEqual(['data: first\nid: after-first', 'data: last\nid: after-last']);
  expect(control).toContain('"streamClosed":true');
});
