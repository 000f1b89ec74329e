import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  IDEMPOTENCY_KEY,
  IDEMPOTENCY_REPLAYED,
  STREAM_KEY,
  UPSTREAM_OUTCOME,
} from '../../protocol/headers.ts';
import { ACTION, ACTION_ABORT } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectError, expectStatus } from '../expect.ts';
import type { TestResponse } from '../http-client.ts';
import { serviceToken } from '../tokens.ts';

type Headers = Readonly<Record<string, string>>;

const byKey = (key: string = randomUUID()): Headers => ({ [IDEMPOTENCY_KEY]: key });
const byName = (name: string = randomUUID()): Headers => ({ [STREAM_KEY]: name });

function abort(t: TestTools, headers: Headers, query = `?${ACTION}=${ACTION_ABORT}`): Promise<TestResponse> {
  return t.service(new URL(`${t.base}${query}`), { method: 'PATCH', headers });
}

/** Aborts a create whose upstream has not responded, and checks all responses and the upstream. */
async function abortPending(t: TestTools, headers: Headers): Promise<void> {
  const feed = t.feed({ held: true });
  const create = t.create(feed, { headers });
  await feed.request();
  await expectStatus(await abort(t, headers), 204);
  await expectError(await create, 'REQUEST_ABORTED');
  await feed.abandoned;
}

export const abortByKey = section(
  'abort-by-key',
  [
    test('[ABORT-9] an abort by its key cancels the upstream request of a pending create', (t) =>
      abortPending(t, byKey())),

    test('[ABORT-9][ABORT-12] an abort by its name cancels the upstream request of a pending create', (t) =>
      abortPending(t, byName())),

    test('[ABORT-9] every caller that waits under the key gets 409', async (t) => {
      const feed = t.feed({ held: true });
      const headers = byKey();
      const creates = Array.from({ length: 3 }, () => t.create(feed, { headers }));
      await feed.request();
      await expectStatus(await abort(t, headers), 204);
      for (const create of creates) await expectError(await create, 'REQUEST_ABORTED');
      assert.equal(feed.received.length, 1);
    }),

    test('[ABORT-9][ABORT-10] closes a running stream, and may be repeated', async (t) => {
      const feed = t.feed();
      const headers = byKey();
      const stream = await t.start(feed, { headers });
      await feed.send('half');
      await stream.until(4);
      for (let i = 0; i < 3; i += 1) await expectStatus(await abort(t, headers), 204);
      await feed.abandoned;
      const { bytes } = await stream.closed();
      assert.equal(bytes.toString(), 'half');
    }),

    test(
      '[ABORT-9] the outcome of the stream is aborted',
      async (t) => {
        const headers = byKey();
        const stream = await t.start(t.feed(), { headers });
        await expectStatus(await abort(t, headers), 204);
        assert.equal((await stream.closed()).last.header(UPSTREAM_OUTCOME), 'aborted');
      },
      { needs: ['outcomes'] },
    ),

    test('[ABORT-10] responds 204 for a key and a name that are unknown', async (t) => {
      await expectStatus(await abort(t, byKey()), 204);
      await expectStatus(await abort(t, byName()), 204);
      await expectStatus(await abort(t, { ...byKey(), ...byName() }), 204);
    }),

    test('[ABORT-11] a create with an aborted key is rejected without an upstream call', async (t) => {
      const upstream = t.reply('never');
      const headers = byKey();
      await expectStatus(await abort(t, headers), 204);
      for (let i = 0; i < 2; i += 1)
        await expectError(await t.create(upstream, { headers }), 'REQUEST_ABORTED');
      assert.equal(upstream.received.length, 0);
    }),

    test(
      '[ABORT-11] a create under the key of an aborted stream responds with that stream',
      async (t) => {
        const feed = t.feed();
        const headers = byKey();
        const stream = await t.start(feed, { headers });
        await expectStatus(await abort(t, headers), 204);
        const again = await t.create(feed, { headers });
        await expectStatus(again, 200);
        assert.equal(again.header(IDEMPOTENCY_REPLAYED), 'true');
        assert.equal(t.streamOf(again).id, stream.id);
        assert.equal(feed.received.length, 1);
      },
      { needs: ['idempotency'] },
    ),

    test('[ABORT-12] aborts the newest stream under the name, and not the one before it', async (t) => {
      const headers = byName();
      const [earlier, newest] = [t.feed(), t.feed()];
      const first = await t.start(earlier, { headers });
      const second = await t.start(newest, { headers });
      await expectStatus(await abort(t, headers), 204);
      await newest.abandoned;
      await second.closed();
      await earlier.send('still there');
      await first.until(11);
    }),

    test('[ABORT-13] an abort without a key, with another action or without credentials is rejected', async (t) => {
      const feed = t.feed({ held: true });
      const headers = byKey();
      const create = t.create(feed, { headers });
      await feed.request();
      await expectError(await abort(t, {}), 'INVALID_REQUEST');
      await expectError(await abort(t, headers, `?${ACTION}=pause`), 'INVALID_ACTION');
      await expectError(await abort(t, headers, ''), 'INVALID_ACTION');
      const url = new URL(`${t.base}?${ACTION}=${ACTION_ABORT}`);
      await expectError(await t.send(url, { method: 'PATCH', headers }), 'MISSING_SECRET');
      feed.begin();
      await expectStatus(await create, 201);
      await feed.end();
    }),

    test(
      '[ABORT-13] a key of another subject has no effect',
      async (t) => {
        const feed = t.feed({ held: true });
        const headers = { ...byKey(), ...byName() };
        const [ann, ben] = await Promise.all(
          [randomUUID(), randomUUID()].map((sub) => serviceToken(t.secret, { sub })),
        );
        const create = t.create(feed, { headers, token: ann! });
        await feed.request();
        await expectStatus(await abort(t, { ...headers, Authorization: `Bearer ${ben}` }), 204);
        await expectStatus(await abort(t, headers), 204);
        feed.begin();
        await expectStatus(await create, 201);
        await feed.end();
      },
      { needs: ['tokens'] },
    ),
  ],
  ['abort-by-key'],
);
