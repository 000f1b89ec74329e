import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { STREAM_CLOSED } from '../../protocol/headers.ts';
import { ACTION, ACTION_ABORT, EXPIRES, SIGNATURE } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError } from '../expect.ts';

export const abort = section('abort', [
  test('[ABORT-1][ABORT-3] cancels the upstream request, and the received bytes stay readable', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('half an ans');
    await stream.until(11);
    const response = await stream.abort();
    assert.equal(response.status, 204);
    await feed.abandoned;
    const { bytes, last } = await stream.closed();
    expectBytes(bytes, 'half an ans');
    assert.equal(last.header(STREAM_CLOSED), 'true');
  }),

  test('[ABORT-1] cancels an upstream request without a response', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    assert.equal((await stream.abort()).status, 204);
    await feed.abandoned;
    assert.equal((await stream.closed()).bytes.length, 0);
  }),

  test('[ABORT-2] is idempotent, even for a closed stream', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const responses = await Promise.all(Array.from({ length: 5 }, () => stream.abort()));
    for (const response of [...responses, await stream.abort()]) assert.equal(response.status, 204);

    const whole = await t.start(t.reply('whole'));
    await whole.closed();
    assert.equal((await whole.abort()).status, 204);
    expectBytes((await whole.closed()).bytes, 'whole');
  }),

  test('[ABORT-4] ends reads in every mode', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    await feed.send('abc');
    const reader = await stream.live();
    await reader.until(3);
    const polling = stream.closed();
    await stream.abort();
    const controls = await reader.toEnd();
    assert.equal(controls.at(-1)?.streamClosed, true);
    expectBytes((await polling).bytes, 'abc');
    expectBytes((await stream.catchUp()).bytes, 'abc');
  }),

  test('[ABORT-5] rejects another action and a missing one', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    for (const params of [{}, { [ACTION]: '' }, { [ACTION]: 'pause' }, { [ACTION]: 'ABORT' }]) {
      await expectError(await t.send(stream.at(params), { method: 'PATCH' }), 'INVALID_ACTION');
    }
    await feed.send('still there');
    await stream.until(11);
  }),

  test('[ABORT-6] rejects a request without a signature, even with the secret', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const path = `${stream.id}?${ACTION}=${ACTION_ABORT}`;
    await expectError(await t.service(path, { method: 'PATCH' }), 'MISSING_SIGNATURE');
    await expectError(await t.send(path, { method: 'PATCH' }), 'MISSING_SIGNATURE');
    await feed.send('still there');
    await stream.until(11);
  }),

  test('[ABORT-7][AUTH-4] rejects a wrong signature and that of another stream', async (t) => {
    const feed = t.feed();
    const stream = await t.start(feed);
    const other = await t.start(t.reply('x'));
    const url = stream.at({ [ACTION]: ACTION_ABORT });
    for (const name of [EXPIRES, SIGNATURE])
      url.searchParams.set(name, other.url.searchParams.get(name) ?? '');
    await expectError(await t.send(url, { method: 'PATCH' }), 'SIGNATURE_INVALID');
    url.searchParams.set(SIGNATURE, 'AAAA');
    await expectError(await t.send(url, { method: 'PATCH' }), 'SIGNATURE_INVALID');
    await feed.send('still there');
    await stream.until(11);
  }),

  test('[ABORT-8] responds 204 for a deleted stream', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    await stream.remove();
    assert.equal((await stream.abort()).status, 204);
    await expectError(
      await t.send(`${randomUUID()}?${ACTION}=${ACTION_ABORT}`, { method: 'PATCH' }),
      'MISSING_SIGNATURE',
    );
  }),
]);
