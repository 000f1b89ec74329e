import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { section, test } from '../define.ts';
import { expectError, expectStatus } from '../expect.ts';

export const deletion = section('delete', [
  test('[DELETE-1] deletes the stream for all readers', async (t) => {
    const stream = await t.start(t.reply('secret'));
    await stream.closed();
    await expectStatus(await stream.remove(), 204);
    await expectError(await stream.read(), 'STREAM_NOT_FOUND');
    await expectError(await t.service(stream.id), 'STREAM_NOT_FOUND');
    assert.equal((await stream.head()).status, 404);
    await expectError(await stream.read({ live: 'sse' }), 'STREAM_NOT_FOUND');
    await expectError(await stream.read({ live: 'long-poll' }), 'STREAM_NOT_FOUND');
  }),

  test('[DELETE-2] is idempotent, even for a stream that never existed', async (t) => {
    const stream = await t.start(t.reply('x'));
    const responses = await Promise.all([stream.remove(), stream.remove(), stream.remove()]);
    for (const response of [...responses, await stream.remove()]) await expectStatus(response, 204);
    await expectStatus(await t.service(randomUUID(), { method: 'DELETE' }), 204);
  }),

  test('[DELETE-3] cancels the upstream request', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('x');
    await stream.until(1);
    await expectStatus(await stream.remove(), 204);
    await feed.abandoned;
    await expectError(await stream.read(), 'STREAM_NOT_FOUND');
  }),

  test('[DELETE-4] rejects a signed URL', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    await expectError(await t.send(stream.url, { method: 'DELETE' }), 'MISSING_SECRET');
    await expectStatus(await stream.read(), 200);
  }),

  test('[DELETE-5] ends the reads in progress', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('x');
    const reader = await stream.live();
    await reader.until(1);
    const poll = stream.poll(reader.control?.streamNextOffset ?? '');
    await expectStatus(await stream.remove(), 204);
    await reader.toEnd().catch(() => []);
    assert.notEqual((await poll).status, 200);
  }),

  test('[DELETE-6] responds 404 to an id that is not a UUID', async (t) => {
    await expectError(await t.service('..%2Fother', { method: 'DELETE' }), 'STREAM_NOT_FOUND');
  }),
]);
