import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  IDEMPOTENCY_KEY,
  STREAM_CLOSED,
  STREAM_KEY,
  STREAM_NEXT_OFFSET,
  UPSTREAM_CONTENT_TYPE,
} from '../../protocol/headers.ts';
import { KEY } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectNotFound, expectStatus } from '../expect.ts';
import type { TestResponse } from '../http-client.ts';

const named = (name: string) => ({ headers: { [STREAM_KEY]: name } });

function find(t: TestTools, name: string, headers: Record<string, string> = {}): Promise<TestResponse> {
  return t.service(new URL(`${t.base}?${KEY}=${encodeURIComponent(name)}`), { headers });
}

export const finding = section(
  'find',
  [
    test('[FIND-1] finds an open and a closed stream by name, with a fresh URL', async (t) => {
      const name = `chat ${randomUUID()} /ü`;
      const feed = t.feed({ contentType: 'text/plain' });
      // Header values are bytes: the UTF-8 of the name.
      const stream = await t.start(feed, named(Buffer.from(name).toString('latin1')));
      await feed.send('so far');
      await stream.until(6);
      const running = await find(t, name);
      await expectStatus(running, 200);
      assert.equal(t.streamOf(running).id, stream.id);
      assert.equal(running.header(UPSTREAM_CONTENT_TYPE), 'text/plain');
      assert.equal(running.header(STREAM_CLOSED), undefined);
      assert.match(running.header('cache-control') ?? '', /\bno-store\b/);
      assert.equal((await running.bytes()).length, 0);
      expectBytes((await t.streamOf(running).catchUp()).bytes, 'so far');
      await feed.end();
      const { offset } = await stream.closed();
      const over = await find(t, name);
      await expectStatus(over, 200);
      assert.equal(over.header(STREAM_CLOSED), 'true');
      assert.equal(over.header(STREAM_NEXT_OFFSET), offset);
    }),

    test('[FIND-2] responds 204 for an unknown name and 404 without a name', async (t) => {
      await expectNotFound(await find(t, randomUUID()));
      await expectError(await t.service(''), 'NOT_FOUND');
      await expectError(await find(t, ''), 'NOT_FOUND');
    }),

    test('[FIND-3] requires service credentials', async (t) => {
      const name = randomUUID();
      const stream = await t.start(t.reply('x'), named(name));
      await expectError(await t.send(new URL(`${t.base}?${KEY}=${name}`)), 'MISSING_SECRET');
      const signed = new URL(`${t.base}?${KEY}=${name}`);
      for (const [each, value] of stream.url.searchParams) signed.searchParams.set(each, value);
      await expectError(await t.send(signed), 'MISSING_SECRET');
    }),

    test('[FIND-4] finds the newest stream', async (t) => {
      const name = randomUUID();
      const streams = [];
      for (const text of ['one', 'two', 'three']) streams.push(await t.start(t.reply(text), named(name)));
      assert.equal(t.streamOf(await find(t, name)).id, streams.at(-1)?.id);
    }),

    test('[FIND-10] with an Idempotency-Key, finds the newest stream only if it was created with the key', async (t) => {
      const name = randomUUID();
      const [older, newer] = [randomUUID(), randomUUID()];
      await t.start(t.reply('one'), { headers: { [STREAM_KEY]: name, [IDEMPOTENCY_KEY]: older } });
      const stream = await t.start(t.reply('two'), {
        headers: { [STREAM_KEY]: name, [IDEMPOTENCY_KEY]: newer },
      });
      const found = await find(t, name, { [IDEMPOTENCY_KEY]: newer });
      assert.equal(t.streamOf(found).id, stream.id);
      for (const key of [older, randomUUID()])
        await expectNotFound(await find(t, name, { [IDEMPOTENCY_KEY]: key }));
    }),

    test('[FIND-5] waits for a create that waits for its upstream', async (t) => {
      const name = randomUUID();
      const feed = t.feed({ held: true });
      const create = t.create(feed, named(name));
      await feed.request();
      const found = find(t, name);
      // Requested before there is a stream.
      await t.start(t.reply('other'));
      feed.begin();
      const response = await found;
      await expectStatus(response, 200);
      assert.equal(t.streamOf(response).id, t.streamOf(await create).id);
      await feed.end();
    }),

    test('[FIND-6] a failed create does not hide the stream before it', async (t) => {
      const name = randomUUID();
      const stream = await t.start(t.reply('good'), named(name));
      assert.equal((await t.create(t.reply('bad', { status: 500 }), named(name))).status, 502);
      assert.equal(t.streamOf(await find(t, name)).id, stream.id);
      const alone = randomUUID();
      assert.equal((await t.create(t.reply('bad', { status: 500 }), named(alone))).status, 502);
      await expectNotFound(await find(t, alone));
    }),

    test('[FIND-7] does not find a deleted stream', async (t) => {
      const name = randomUUID();
      const stream = await t.start(t.reply('x'), named(name));
      await stream.closed();
      await stream.remove();
      await expectNotFound(await find(t, name));
    }),

    test('[FIND-8] accepts names of 1 to 512 bytes', async (t) => {
      const upstream = t.reply('never');
      await expectError(await t.create(upstream, named('')), 'INVALID_REQUEST');
      await expectError(await t.create(upstream, named('n'.repeat(513))), 'INVALID_REQUEST');
      assert.equal(upstream.received.length, 0);
      await expectError(await find(t, 'n'.repeat(513)), 'INVALID_REQUEST');
      await expectStatus(await t.create(t.reply('x'), named(randomUUID().padEnd(512, 'n'))), 201);
    }),
  ],
  ['find'],
);
