import assert from 'node:assert/strict';
import { LAST_EVENT_ID, STREAM_SSE_DATA_ENCODING, UPSTREAM_CONTENT_TYPE } from '../../protocol/headers.ts';
import { CURSOR, LIVE, LIVE_SSE, OFFSET, OFFSET_NOW } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError } from '../expect.ts';
import { SseReader } from '../sse-reader.ts';
import { everyByte } from './bytes.ts';

export const sse = section('sse', [
  test('[SSE-1][SSE-4] responds with an event stream in base64 that is neither cached nor buffered', async (t) => {
    const feed = t.feed({ contentType: 'text/plain' });
    const stream = await t.start(feed);
    const { response } = await stream.live();
    assert.match(response.header('content-type') ?? '', /^text\/event-stream\b/);
    assert.match(response.header('cache-control') ?? '', /\bno-store\b/);
    assert.equal(response.header('x-accel-buffering'), 'no');
    assert.equal(response.header('content-encoding'), undefined);
    assert.equal(response.header('x-content-type-options'), 'nosniff');
    assert.equal(response.header(STREAM_SSE_DATA_ENCODING), 'base64');
    assert.equal(response.header(UPSTREAM_CONTENT_TYPE), 'text/plain');
  }),

  test('[SSE-2][SSE-3] a control event with the offset follows each data event', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const reader = await stream.live();
    for (const part of ['one', 'two', 'three']) {
      await feed.send(part);
      const control = await reader.until(reader.bytes.length + part.length);
      assert.equal(control.upToDate, true);
      assert.equal(control.streamClosed, undefined);
      assert.match(control.streamCursor ?? '', /^\d+$/);
      const { bytes, last } = await stream.catchUp(control.streamNextOffset);
      assert.equal(bytes.length, 0);
      assert.equal(last.status, 200);
    }
    expectBytes(reader.bytes, 'onetwothree');
  }),

  everyByteOf('text/event-stream'),
  everyByteOf('application/json'),
  everyByteOf('application/octet-stream'),

  test('[SSE-3] upToDate is not sent before the tail', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const first = await stream.live();
    const count = 20;
    for (let i = 1; i <= count; i += 1) {
      await feed.send('x');
      await first.until(i);
    }
    const late = await stream.live();
    while (late.control?.upToDate === undefined) await late.nextReal();
    assert.equal(late.bytes.length, count);
  }),

  test('[SSE-5] ends the response after a control event with streamClosed', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const reader = await stream.live();
    await feed.send('a');
    await reader.until(1);
    await feed.end('b');
    const controls = await reader.toEnd();
    expectBytes(reader.bytes, 'ab');
    const closed = controls.filter((control) => control.streamClosed);
    assert.equal(closed.length, 1);
    assert.equal(controls.at(-1), closed[0]);
    assert.equal(closed[0]?.streamNextOffset, (await stream.closed()).offset);
  }),

  test('[SSE-6] sends one control event at the end of a closed stream', async (t) => {
    const stream = await t.start(t.reply('over'));
    const { offset } = await stream.closed();
    for (const from of [offset, OFFSET_NOW]) {
      const reader = await stream.live(from);
      const controls = await reader.toEnd();
      assert.equal(reader.bytes.length, 0);
      assert.equal(controls.length, 1);
      assert.equal(controls[0]?.streamClosed, true);
      assert.equal(controls[0].streamNextOffset, offset);
    }
  }),

  test('[SSE-7] every offset of a live read continues exactly there, in every mode', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const reader = await stream.live();
    const places: [string, number][] = [];
    for (let i = 0; i < 4; i += 1) {
      await feed.send(`part ${i}\n`);
      const { streamNextOffset } = await reader.until((i + 1) * 7);
      places.push([streamNextOffset, reader.bytes.length]);
    }
    await feed.end('end');
    await reader.toEnd();
    for (const [offset, at] of places) {
      expectBytes((await stream.catchUp(offset)).bytes, reader.bytes.subarray(at));
      const again = await stream.live(offset);
      await again.toEnd();
      expectBytes(again.bytes, reader.bytes.subarray(at));
      assert.equal(again.response.status, 200);
    }
  }),

  test('[SSE-8] now starts with a control event, followed by new bytes', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('earlier');
    const { offset } = await stream.until(7);
    const reader = await stream.live(OFFSET_NOW);
    const first = await reader.nextReal();
    assert.equal(first?.kind, 'control');
    assert.equal(first.control.streamNextOffset, offset);
    assert.equal(first.control.upToDate, true);
    await feed.end('later');
    await reader.toEnd();
    expectBytes(reader.bytes, 'later');
  }),

  test('[SSE-9] sends each chunk before the upstream sends the next', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const reader = await stream.live();
    for (let i = 1; i <= 20; i += 1) {
      await feed.send('t');
      await reader.until(i);
    }
  }),

  test(
    '[SSE-10] sends a comment at least every 30 s',
    async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      const reader = await stream.live();
      await feed.send('x');
      await reader.until(1);
      const late = AbortSignal.timeout(30_000);
      late.addEventListener('abort', () => reader.close());
      for (let comments = 0; comments < 1;) {
        const event = await reader.next();
        assert.ok(event, 'the live read ended');
        if (event.kind === 'comment') comments += 1;
        assert.notEqual(event.kind, 'data');
      }
    },
    { slow: true },
  ),

  test('[SSE-11] the cursor is greater than that of the request', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('x');
    await stream.until(1);
    const first = (await (await stream.live()).until(1)).streamCursor ?? '';
    const second = (await (await stream.live('-1', { [CURSOR]: first })).until(1)).streamCursor ?? '';
    assert.ok(Number(second) > Number(first), `${second} after ${first}`);
  }),

  test('[SSE-12] does not send streamClosed if the stream is deleted during a read', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('x');
    const reader = await stream.live();
    await reader.until(1);
    await stream.remove();
    // The upstream request is canceled first, so a reader may receive an abort, but no other end.
    await reader.toEnd().catch(() => []);
    assert.notEqual(reader.control?.upstreamOutcome, 'complete');
  }),

  test('[SSE-13][READ-8] responds with an error to an invalid offset', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    await expectError(await stream.read({ [LIVE]: LIVE_SSE, [OFFSET]: 'a,b' }), 'INVALID_OFFSET');
    await expectError(await stream.read({ [LIVE]: LIVE_SSE, [OFFSET]: 'nowhere' }), 'INVALID_OFFSET');
  }),

  test('[SSE-14] the first line is a comment with the encoding', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const opening = await stream.live();
    await feed.send('a');
    const behind = await stream.live();
    const atTail = await stream.live(OFFSET_NOW);
    for (const reader of [opening, behind, atTail]) {
      assert.deepEqual(await reader.next(), { kind: 'comment', text: 'base64' });
    }
    await feed.end('b');
    await stream.closed();
    const closed = await stream.live();
    assert.deepEqual(await closed.next(), { kind: 'comment', text: 'base64' });
  }),

  test('[SSE-15][SSE-16] an EventSource that reconnects continues after its last control event', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const reader = await stream.live();
    await feed.send('one');
    let event = await reader.nextReal();
    while (event && !(event.kind === 'control' && reader.bytes.length > 0)) event = await reader.nextReal();
    assert.ok(event?.kind === 'control');
    expectBytes(reader.bytes, 'one');
    assert.equal(event.id, event.control.streamNextOffset);
    await feed.end('two');
    await stream.closed();
    const headers = { [LAST_EVENT_ID]: event.id };
    const again = new SseReader(await stream.read({ [LIVE]: LIVE_SSE }, headers));
    const controls = await again.toEnd();
    expectBytes(again.bytes, 'two');
    assert.equal(controls.at(-1)?.streamClosed, true);
    const whole = new SseReader(await stream.read({ [LIVE]: LIVE_SSE, [OFFSET]: '-1' }, headers));
    await whole.toEnd();
    expectBytes(whole.bytes, 'onetwo');
  }),
]);

function everyByteOf(contentType: string) {
  return test(`[SSE-4] every byte of ${contentType} arrives unchanged`, async (t) => {
    const bytes = Buffer.concat(Array.from({ length: 400 }, everyByte));
    const feed = t.feed({ contentType });
    const stream = await t.start(feed);
    const reader = await stream.live();
    for (let at = 0; at < bytes.length; at += 30_001) await feed.send(bytes.subarray(at, at + 30_001));
    await feed.end();
    await reader.toEnd();
    expectBytes(reader.bytes, bytes);
  });
}
