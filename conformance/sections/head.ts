import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  STREAM_CLOSED,
  STREAM_EXPIRES_AT,
  STREAM_NEXT_OFFSET,
  STREAM_TTL,
  UPSTREAM_CONTENT_TYPE,
} from '../../protocol/headers.ts';
import { section, test } from '../define.ts';
import { expectStatus } from '../expect.ts';

export const head = section('head', [
  test('[HEAD-1][HEAD-2] describes an open stream without an end', async (t) => {
    const feed = t.feed({ contentType: 'application/x-ndjson' });
    const stream = await t.start(feed);
    await feed.send('{"a":1}\n');
    const { offset } = await stream.until(8);
    const response = await stream.head();
    await expectStatus(response, 200);
    assert.equal(response.header(STREAM_NEXT_OFFSET), offset);
    assert.equal(response.header(UPSTREAM_CONTENT_TYPE), 'application/x-ndjson');
    assert.ok(response.header('content-type'));
    assert.ok(/^\d+$/.test(response.header(STREAM_TTL) ?? '') || response.header(STREAM_EXPIRES_AT));
    assert.match(response.header('cache-control') ?? '', /\bno-store\b/);
    assert.equal(response.header(STREAM_CLOSED), undefined);
    assert.equal((await response.bytes()).length, 0);
  }),

  test('[HEAD-2] describes a closed stream and its tail', async (t) => {
    const stream = await t.start(t.reply('all'));
    const { offset } = await stream.closed();
    const response = await stream.head();
    await expectStatus(response, 200);
    assert.equal(response.header(STREAM_CLOSED), 'true');
    assert.equal(response.header(STREAM_NEXT_OFFSET), offset);
  }),

  test('[HEAD-3] rejects a signed URL', async (t) => {
    const stream = await t.start(t.reply('x'));
    const response = await t.send(stream.url, { method: 'HEAD' });
    assert.equal(response.status, 401);
    assert.equal(response.header(STREAM_NEXT_OFFSET), undefined);
  }),

  test('[HEAD-4] responds 404 for an unknown stream', async (t) => {
    const response = await t.service(randomUUID(), { method: 'HEAD' });
    assert.equal(response.status, 404);
    assert.equal((await t.service('no-uuid', { method: 'HEAD' })).status, 404);
  }),
]);
