import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createParser } from 'eventsource-parser';
import { STREAM_EVENT, type StreamEvent } from '../../protocol/follow.ts';
import { LAST_EVENT_ID, STREAM_KEY } from '../../protocol/headers.ts';
import { KEY, LIVE, LIVE_SSE } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';
import type { TestResponse } from '../http-client.ts';

const named = (name: string) => ({ headers: { [STREAM_KEY]: name } });
const urlOf = (t: TestTools, name: string, live: string = LIVE_SSE) =>
  new URL(`${t.base}?${KEY}=${encodeURIComponent(name)}&${LIVE}=${live}`);

/** Reads the events of a name, without comments. */
class Follower {
  readonly response: TestResponse;
  lastId: string | undefined;
  readonly #events: AsyncGenerator<StreamEvent>;

  constructor(response: TestResponse) {
    this.response = response;
    this.#events = this.#read();
  }

  async next(): Promise<StreamEvent> {
    const result = (await this.#events.next()) as IteratorResult<StreamEvent, undefined>;
    assert.ok(!result.done, 'the server ended the response');
    return result.value;
  }

  close(): void {
    this.response.message.destroy();
  }

  async *#read(): AsyncGenerator<StreamEvent> {
    const ready: { readonly event: StreamEvent; readonly id: string | undefined }[] = [];
    const parser = createParser({
      onEvent: ({ event, data, id }) => {
        if (event === STREAM_EVENT) ready.push({ event: JSON.parse(data) as StreamEvent, id });
      },
    });
    const decoder = new TextDecoder();
    for await (const chunk of this.response.message) {
      parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
      for (const { event, id } of ready.splice(0)) {
        assert.ok(id, 'an event has no id');
        this.lastId = id;
        yield event;
      }
    }
  }
}

async function follow(t: TestTools, name: string, lastId?: string): Promise<Follower> {
  const headers = lastId === undefined ? {} : { [LAST_EVENT_ID]: lastId };
  const response = await t.service(urlOf(t, name), { headers });
  await expectStatus(response, 200);
  return new Follower(response);
}

/** Starts a stream under a name that stays open. */
async function begin(t: TestTools, name: string) {
  const feed = t.feed({ contentType: 'text/plain' });
  const stream = await t.start(feed, named(name));
  return { feed, stream, id: stream.id };
}

export const following = section(
  'follow',
  [
    test('[FOLLOW-1] responds at once if no stream has the name, and waits', async (t) => {
      const name = randomUUID();
      const follower = await follow(t, name);
      assert.match(follower.response.header('content-type') ?? '', /^text\/event-stream/);
      assert.match(follower.response.header('cache-control') ?? '', /\bno-store\b/);
      assert.equal(follower.response.header('x-accel-buffering'), 'no');
      const { feed, id } = await begin(t, name);
      assert.equal((await follower.next()).streamId, id);
      await feed.end();
    }),

    test('[FOLLOW-2] sends the newest stream and each later one, with a signed URL', async (t) => {
      const name = randomUUID();
      await t.start(t.reply('older'), named(name));
      const first = await begin(t, name);
      await first.feed.send('so far');
      await first.stream.until(6);
      const follower = await follow(t, name);
      const event = await follower.next();
      const { streamId, state, upstreamContentType, outcome } = event;
      assert.deepEqual([streamId, state, outcome], [first.id, 'open', undefined]);
      assert.equal(upstreamContentType, 'text/plain');
      const read = await t.send(new URL(event.location, t.base));
      await expectStatus(read, 200);
      expectBytes(await read.bytes(), 'so far');
      const second = await begin(t, name);
      assert.equal((await follower.next()).streamId, second.id);
      await first.feed.end();
      await second.feed.end();
    }),

    test('[FOLLOW-3] sends the end of each stream that it has sent', async (t) => {
      const name = randomUUID();
      const { feed, id } = await begin(t, name);
      const follower = await follow(t, name);
      await follower.next();
      await feed.end();
      const { streamId, state, outcome } = await follower.next();
      assert.deepEqual([streamId, state, outcome], [id, 'closed', 'complete']);
    }),

    test('[FOLLOW-4] continues after Last-Event-ID', async (t) => {
      const name = randomUUID();
      const first = await begin(t, name);
      const before = await follow(t, name);
      await before.next();
      before.close();
      await first.feed.end();
      const after = await follow(t, name, before.lastId);
      const end = await after.next();
      assert.deepEqual([end.streamId, end.state], [first.id, 'closed']);
      after.close();
      const again = await follow(t, name, after.lastId);
      const second = await begin(t, name);
      assert.equal((await again.next()).streamId, second.id, 'the follower got a stream again');
      again.close();
      await second.feed.end();
      const third = await begin(t, name);
      const last = await follow(t, name, again.lastId);
      const events = [await last.next(), await last.next()];
      const ends = events.filter(({ state }) => state === 'closed').map(({ streamId }) => streamId);
      const others = events.filter(({ state }) => state !== 'closed').map(({ streamId }) => streamId);
      assert.deepEqual([ends, others], [[second.id], [third.id]]);
      await third.feed.end();
    }),

    test('[FOLLOW-5] ignores a malformed Last-Event-ID', async (t) => {
      const name = randomUUID();
      const { feed, id } = await begin(t, name);
      assert.equal((await (await follow(t, name, '?')).next()).streamId, id);
      await feed.end();
    }),

    test('[FOLLOW-6] requires service credentials', async (t) => {
      const name = randomUUID();
      const stream = await t.start(t.reply('x'), named(name));
      await expectError(await t.send(urlOf(t, name)), 'MISSING_SECRET');
      const signed = urlOf(t, name);
      for (const [each, value] of stream.url.searchParams) signed.searchParams.set(each, value);
      await expectError(await t.send(signed), 'MISSING_SECRET');
    }),

    test('[FOLLOW-11] rejects a request without a name, another mode, and a name of more than 512 bytes', async (t) => {
      await expectError(await t.service(urlOf(t, '')), 'NOT_FOUND');
      await expectError(await t.service(urlOf(t, 'name', 'long-poll')), 'INVALID_REQUEST');
      await expectError(await t.service(urlOf(t, 'n'.repeat(513))), 'INVALID_REQUEST');
    }),
  ],
  ['find', 'follow'],
);
