import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, UPSTREAM_AUTHORIZATION } from '../../protocol/headers.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';

const keyed = (key: string = randomUUID()) => ({
  headers: { [IDEMPOTENCY_KEY]: key },
  body: '{"prompt":"hi"}',
});

export const idempotency = section(
  'idempotency',
  [
    test('[IDEM-1] the same key and request return the same stream, with one upstream call', async (t) => {
      const upstream = t.reply('paid once');
      const init = keyed();
      const first = await t.create(upstream, init);
      await expectStatus(first, 201);
      assert.equal(first.header(IDEMPOTENCY_REPLAYED), undefined);
      await t.streamOf(first).closed();
      for (let i = 0; i < 3; i += 1) {
        const again = await t.create(upstream, init);
        await expectStatus(again, 200);
        assert.equal(again.header(IDEMPOTENCY_REPLAYED), 'true');
        assert.equal(t.streamOf(again).id, t.streamOf(first).id);
        expectBytes((await t.streamOf(again).closed()).bytes, 'paid once');
      }
      assert.equal(upstream.received.length, 1);
    }),

    test('[IDEM-2] fifty concurrent creates share one call before the upstream has responded', async (t) => {
      const feed = t.feed({ held: true });
      const init = keyed();
      const creates = Array.from({ length: 50 }, () => t.create(feed, init));
      await feed.request();
      feed.begin();
      const responses = await Promise.all(creates);
      const streams = responses.map((response) => t.streamOf(response));
      assert.equal(new Set(streams.map(({ id }) => id)).size, 1);
      const statuses = responses.map((response) => response.status).sort();
      assert.deepEqual(statuses, [...Array.from({ length: 49 }, () => 200), 201]);
      assert.equal(
        responses.filter((response) => response.header(IDEMPOTENCY_REPLAYED) === 'true').length,
        49,
      );
      await feed.end('shared');
      for (const stream of streams.slice(0, 3)) expectBytes((await stream.closed()).bytes, 'shared');
      assert.equal(feed.received.length, 1);
    }),

    test('[IDEM-3] rejects the same key with another request', async (t) => {
      const upstream = t.reply('ok');
      const init = keyed();
      await expectStatus(await t.create(upstream, init), 201);
      const others = [
        t.create(upstream, { ...init, body: '{"prompt":"ho"}' }),
        t.create(upstream, { ...init, method: 'PUT' }),
        t.create(`${upstream.url}?other`, init),
        t.create(upstream, { headers: init.headers }),
      ];
      for (const response of await Promise.all(others)) await expectError(response, 'IDEMPOTENCY_KEY_REUSED');
      assert.equal(upstream.received.length, 1);
    }),

    test('[IDEM-3] rejects the same key with another request while the first create waits', async (t) => {
      const feed = t.feed({ held: true });
      const init = keyed();
      const first = t.create(feed, init);
      await feed.request();
      await expectError(await t.create(feed, { ...init, body: 'other' }), 'IDEMPOTENCY_KEY_REUSED');
      feed.begin();
      await expectStatus(await first, 201);
      await feed.end();
    }),

    test('[IDEM-4] ignores a renewed upstream credential', async (t) => {
      const upstream = t.reply('ok');
      const key = randomUUID();
      const create = (token: string) =>
        t.create(upstream, { headers: { [IDEMPOTENCY_KEY]: key, [UPSTREAM_AUTHORIZATION]: token } });
      await expectStatus(await create('Bearer old'), 201);
      await expectStatus(await create('Bearer new'), 200);
      assert.equal(upstream.received.length, 1);
    }),

    test('[IDEM-5] a failed create releases its key', async (t) => {
      let attempts = 0;
      const upstream = t.upstream(({ res }) => {
        attempts += 1;
        if (attempts === 1) res.writeHead(503, { 'Content-Type': 'text/plain' }).end('overloaded');
        else if (attempts === 2) res.writeHead(302, { Location: '/' }).end();
        else if (attempts === 3) res.socket?.resetAndDestroy();
        else res.end('at last');
      });
      const init = keyed();
      assert.equal((await t.create(upstream, init)).status, 502);
      await expectError(await t.create(upstream, init), 'REDIRECT_NOT_ALLOWED');
      await expectError(await t.create(upstream, init), 'UPSTREAM_ERROR');
      const response = await t.create(upstream, init);
      await expectStatus(response, 201);
      assert.equal(response.header(IDEMPOTENCY_REPLAYED), undefined);
    }),

    test('[IDEM-6] a caller that disconnects before the response finds the stream by its key', async (t) => {
      const feed = t.feed({ held: true });
      const init = keyed();
      const leaving = new AbortController();
      const lost = t.create(feed, { ...init, signal: leaving.signal });
      lost.catch(() => undefined);
      await feed.request();
      leaving.abort();
      await assert.rejects(lost);
      await t.roundTrips();
      feed.begin();
      await feed.end('not lost');
      const found = await t.create(feed, init);
      await expectStatus(found, 200);
      assert.equal(found.header(IDEMPOTENCY_REPLAYED), 'true');
      expectBytes((await t.streamOf(found).closed()).bytes, 'not lost');
      assert.equal(feed.received.length, 1);
    }),

    test('[IDEM-7] deleting the stream releases its key', async (t) => {
      const upstream = t.reply('ok');
      const init = keyed();
      const first = await t.start(upstream, init);
      await first.closed();
      await first.remove();
      const response = await t.create(upstream, init);
      await expectStatus(response, 201);
      assert.notEqual(t.streamOf(response).id, first.id);
      assert.equal(upstream.received.length, 2);
    }),

    test('[IDEM-8] accepts keys of 1 to 512 bytes of any value', async (t) => {
      const upstream = t.reply('ok');
      const create = (key: string) => t.create(upstream, { headers: { [IDEMPOTENCY_KEY]: key } });
      await expectError(await create(''), 'INVALID_REQUEST');
      await expectError(await create('k'.repeat(513)), 'INVALID_REQUEST');
      await expectStatus(await create(randomUUID().padEnd(512, 'k')), 201);
      await expectStatus(await create(`"${randomUUID()}" /../ \xfc`), 201);
    }),

    test('[IDEM-9] calls the upstream for each request without a key', async (t) => {
      const upstream = t.reply('ok');
      const [one, two] = await Promise.all([t.start(upstream), t.start(upstream)]);
      assert.notEqual(one.id, two.id);
      assert.equal(upstream.received.length, 2);
    }),
  ],
  ['idempotency'],
);
