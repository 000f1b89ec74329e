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
    const answer = await stream.head();
    await expectStatus(answer, 200);
    assert.equal(answer.header(STREAM_NEXT_OFFSET), offset);
    assert.equal(answer.header(UPSTREAM_CONTENT_TYPE), 'application/x-ndjson');
    assert.ok(answer.header('content-type'));
    assert.ok(/^\d+$/.test(answer.header(STREAM_TTL) ?? '') || answer.header(STREAM_EXPIRES_AT));
    assert.match(answer.header('cache-control') ?? '', /\bno-store\b/);
    assert.equal(answer.header(STREAM_CLOSED), undefined);
    assert.equal((await answer.bytes()).length, 0);
  }),

  test('[HEAD-2] describes a closed stream and its tail', async (t) => {
    const stream = await t.start(t.reply('all'));
    const { offset } = await stream.closed();
    const answer = await stream.head();
    await expectStatus(answer, 200);
    assert.equal(answer.header(STREAM_CLOSED), 'true');
    assert.equal(answer.header(STREAM_NEXT_OFFSET), offset);
  }),

  test('[HEAD-3] rejects a signed URL', async (t) => {
    const stream = await t.start(t.reply('x'));
    const answer = await t.send(stream.url, { method: 'HEAD' });
    assert.equal(answer.status, 401);
    assert.equal(answer.header(STREAM_NEXT_OFFSET), undefined);
  }),

  test('[HEAD-4] responds 404 for an unknown stream', async (t) => {
    const answer = await t.service(randomUUID(), { method: 'HEAD' });
    assert.equal(answer.status, 404);
    assert.equal((await t.service('no-uuid', { method: 'HEAD' })).status, 404);
  }),
]);
