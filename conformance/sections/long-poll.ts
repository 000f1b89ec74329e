import assert from 'node:assert/strict';
import {
  STREAM_CLOSED,
  STREAM_CURSOR,
  STREAM_NEXT_OFFSET,
  STREAM_UP_TO_DATE,
  UPSTREAM_CONTENT_TYPE,
} from '../../protocol/headers.ts';
import { CURSOR, LIVE, LIVE_LONG_POLL, OFFSET, OFFSET_NOW, OFFSET_START } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';

export const longPoll = section('long-poll', [
  test('[POLL-1] returns stored bytes at once', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('here');
    await stream.until(4);
    const response = await stream.poll(OFFSET_START);
    await expectStatus(response, 200);
    expectBytes(await response.bytes(), 'here');
    assert.equal(response.header(STREAM_UP_TO_DATE), 'true');
    assert.equal(response.header(STREAM_CLOSED), undefined);
    assert.equal(response.header(UPSTREAM_CONTENT_TYPE), 'text/event-stream');
  }),

  test('[POLL-2][POLL-8] waits for new bytes', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('old ');
    const { offset } = await stream.until(4);
    const polls = [stream.poll(offset), stream.poll(OFFSET_NOW)];
    // The response to this later request shows that the polls have arrived.
    await stream.read();
    await feed.send('new');
    for (const poll of polls) {
      const response = await poll;
      if (response.status === 204) t.skip('the server waits for less time than two requests take');
      await expectStatus(response, 200);
      expectBytes(await response.bytes(), 'new');
    }
  }),

  test(
    '[POLL-3][POLL-6] responds 204 with the offset at the timeout',
    async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('x');
      const { offset } = await stream.until(1);
      const response = await stream.poll(offset);
      assert.equal(response.status, 204);
      assert.equal(response.header(STREAM_NEXT_OFFSET), offset);
      assert.equal(response.header(STREAM_UP_TO_DATE), 'true');
      assert.equal(response.header(STREAM_CLOSED), undefined);
      assert.match(response.header(STREAM_CURSOR) ?? '', /^\d+$/);
    },
    { slow: true },
  ),

  test(
    '[POLL-3] the 204 of an empty stream has a concrete offset',
    async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      const response = await stream.poll(OFFSET_START);
      assert.equal(response.status, 204);
      const offset = response.header(STREAM_NEXT_OFFSET);
      assert.ok(offset && offset !== OFFSET_START && offset !== OFFSET_NOW, `offset ${offset}`);
      await feed.end('first');
      await stream.closed();
      expectBytes((await stream.catchUp(offset)).bytes, 'first');
    },
    { slow: true },
  ),

  test('[POLL-4] responds 204 at once at the end of a closed stream', async (t) => {
    const stream = await t.start(t.reply('done'));
    const { offset } = await stream.closed();
    for (const from of [offset, OFFSET_NOW]) {
      const response = await stream.poll(from);
      assert.equal(response.status, 204);
      assert.equal(response.header(STREAM_CLOSED), 'true');
      assert.equal(response.header(STREAM_UP_TO_DATE), 'true');
      assert.equal(response.header(STREAM_NEXT_OFFSET), offset);
    }
  }),

  test('[POLL-5] responds when the stream is closed', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('x');
    const { offset } = await stream.until(1);
    const poll = stream.poll(offset);
    await stream.read();
    await feed.end();
    const { last, bytes } = await stream.closed();
    assert.equal(last.header(STREAM_CLOSED), 'true');
    expectBytes(bytes, 'x');
    const response = await poll;
    assert.equal(response.status, 204);
    if (response.header(STREAM_CLOSED) === undefined)
      t.skip('the server waited for less time than this took');
  }),

  test('[POLL-6] the cursor is a number greater than that of the request', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('x');
    await stream.until(1);
    let cursor = (await stream.poll(OFFSET_START)).header(STREAM_CURSOR) ?? '';
    for (let i = 0; i < 5; i += 1) {
      assert.match(cursor, /^\d+$/);
      const next = (await stream.poll(OFFSET_START, { [CURSOR]: cursor })).header(STREAM_CURSOR) ?? '';
      assert.ok(Number(next) > Number(cursor), `${next} after ${cursor}`);
      cursor = next;
    }
  }),

  test('[POLL-7] marks live responses no-store', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('x');
    await stream.until(1);
    assert.match((await stream.poll(OFFSET_START)).header('cache-control') ?? '', /\bno-store\b/);
  }),

  test('[POLL-9][READ-8] rejects an invalid offset at once', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    await expectError(await stream.read({ [LIVE]: LIVE_LONG_POLL, [OFFSET]: 'a,b' }), 'INVALID_OFFSET');
    await expectError(await stream.read({ [LIVE]: LIVE_LONG_POLL, [OFFSET]: 'nowhere' }), 'INVALID_OFFSET');
  }),
]);
