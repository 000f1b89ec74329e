import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  IDEMPOTENCY_KEY,
  PREFER,
  PREFERENCE_APPLIED,
  PREFER_UPSTREAM_STATUS,
  RETURN_REPRESENTATION,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';
import { SseReader } from '../sse-reader.ts';

/** Both preferences, in one field and in two (RFC 7240, section 2). */
const BOTH = [
  `${RETURN_REPRESENTATION}, ${PREFER_UPSTREAM_STATUS}`,
  [PREFER_UPSTREAM_STATUS, RETURN_REPRESENTATION],
] as const;

const wanting = { headers: { [PREFER]: RETURN_REPRESENTATION } };

export const prefer = section(
  'prefer',
  [
    test('[PREFER-1] the 201 has the live read from the beginning and all headers of a 201', async (t) => {
      const feed = t.feed();
      const response = await t.create(feed, wanting);
      assert.equal(response.status, 201);
      assert.equal(response.header(PREFERENCE_APPLIED), RETURN_REPRESENTATION);
      assert.match(response.header('content-type') ?? '', /^text\/event-stream\b/);
      const reader = new SseReader(response);
      await feed.send('first');
      const control = await reader.until(5);
      const stream = t.streamOf(response);
      expectBytes((await stream.catchUp()).bytes, 'first');
      await feed.end(' last');
      const controls = await reader.toEnd();
      expectBytes(reader.bytes, 'first last');
      assert.equal(controls.at(-1)?.streamClosed, true);
      expectBytes((await stream.catchUp(control.streamNextOffset)).bytes, ' last');
    }),

    test('[PREFER-2] the 201 has no body without this preference', async (t) => {
      for (const preference of [
        undefined,
        'return=minimal',
        'handling=lenient, wait=10',
        'x-return=representation',
      ]) {
        const response = await t.create(t.reply('x'), { headers: { [PREFER]: preference } });
        await expectStatus(response, 201);
        assert.equal(response.header(PREFERENCE_APPLIED), undefined);
        assert.equal((await response.bytes()).length, 0);
      }
    }),

    test('[PREFER-2] the preference is recognized among others', async (t) => {
      const many = {
        headers: { [PREFER]: ['handling=lenient', `wait=10, ${RETURN_REPRESENTATION}; foo="bar"`] },
      };
      const response = await t.create(t.reply('x'), many);
      assert.equal(response.header(PREFERENCE_APPLIED), RETURN_REPRESENTATION);
      const reader = new SseReader(response);
      await reader.toEnd();
      expectBytes(reader.bytes, 'x');
    }),

    test('[PREFER-3] does not change errors', async (t) => {
      await expectError(await t.create('http://not-allowed.invalid/', wanting), 'UPSTREAM_NOT_ALLOWED');
      const response = await t.create(t.reply('busy', { status: 429, contentType: 'text/plain' }), wanting);
      assert.equal(response.status, 502);
      assert.equal(response.header(UPSTREAM_STATUS), '429');
      assert.equal(response.header(PREFERENCE_APPLIED), undefined);
      expectBytes(await response.bytes(), 'busy');
    }),

    test('[PREFER-4] disconnecting from the body does not abort the stream', async (t) => {
      const feed = t.feed();
      const response = await t.create(feed, wanting);
      const reader = new SseReader(response);
      await feed.send('some ');
      await reader.until(5);
      const stream = t.streamOf(response);
      reader.close();
      await t.roundTrips();
      await feed.end('more');
      expectBytes((await stream.closed()).bytes, 'some more');
    }),

    test(
      '[PREFER-5] the 200 of a known key has the read from the beginning',
      async (t) => {
        const feed = t.feed();
        const headers = { ...wanting.headers, [IDEMPOTENCY_KEY]: randomUUID() };
        const first = await t.create(feed, { headers });
        await feed.send('one ');
        const reader = new SseReader(first);
        await reader.until(4);
        const again = await t.create(feed, { headers });
        assert.equal(again.status, 200);
        assert.equal(again.header(PREFERENCE_APPLIED), RETURN_REPRESENTATION);
        const second = new SseReader(again);
        await feed.end('two');
        await Promise.all([reader.toEnd(), second.toEnd()]);
        expectBytes(reader.bytes, 'one two');
        expectBytes(second.bytes, 'one two');
      },
      { needs: ['idempotency'] },
    ),

    test(
      '[PREFER-6] an upstream error keeps its own status if the caller prefers it',
      async (t) => {
        for (const preference of [PREFER_UPSTREAM_STATUS, ...BOTH]) {
          for (const status of [400, 401, 404, 429, 500, 502, 503, 504, 529]) {
            const upstream = t.reply('sorry', {
              status,
              contentType: 'text/plain',
              headers: { 'Retry-After': '7' },
            });
            const response = await t.create(upstream, { headers: { [PREFER]: preference } });
            assert.equal(response.status, status);
            assert.equal(response.header(UPSTREAM_STATUS), String(status));
            assert.equal(response.header(PREFERENCE_APPLIED), PREFER_UPSTREAM_STATUS);
            assert.equal(response.header('content-type'), 'text/plain');
            assert.equal(response.header('retry-after'), '7');
            expectBytes(await response.bytes(), 'sorry');
          }
        }
      },
      { needs: [PREFER_UPSTREAM_STATUS] },
    ),

    test(
      '[PREFER-6] each caller of one key gets the status that it prefers',
      async (t) => {
        const feed = t.feed({ status: 429 });
        const key = randomUUID();
        const plain = t.create(feed, { headers: { [IDEMPOTENCY_KEY]: key } });
        const own = t.create(feed, {
          headers: { [IDEMPOTENCY_KEY]: key, [PREFER]: PREFER_UPSTREAM_STATUS },
        });
        await feed.request();
        await t.roundTrips();
        await feed.end('busy');
        assert.equal((await plain).status, 502);
        assert.equal((await own).status, 429);
      },
      { needs: [PREFER_UPSTREAM_STATUS, 'idempotency'] },
    ),

    test(
      '[PREFER-7] statuses that browsers handle by themselves stay 502',
      async (t) => {
        for (const status of [407, 408, 421, 425]) {
          const headers = { [PREFER]: PREFER_UPSTREAM_STATUS };
          const response = await t.create(t.reply('x', { status }), { headers });
          assert.equal(response.status, 502);
          assert.equal(response.header(UPSTREAM_STATUS), String(status));
          assert.equal(response.header(PREFERENCE_APPLIED), undefined);
        }
      },
      { needs: [PREFER_UPSTREAM_STATUS] },
    ),

    test(
      '[PREFER-8] does not change errors of the proxy, redirects and successes',
      async (t) => {
        const headers = { [PREFER]: PREFER_UPSTREAM_STATUS };
        const gone = t.upstream(({ res }) => void res.destroy());
        const response = await t.create(gone, { headers });
        assert.equal(response.header(UPSTREAM_STATUS), undefined);
        await expectError(response, 'UPSTREAM_ERROR');
        await expectError(await t.create('http://not-allowed.invalid/', { headers }), 'UPSTREAM_NOT_ALLOWED');
        const redirect = t.reply('', { status: 302, headers: { Location: '/' } });
        await expectError(await t.create(redirect, { headers }), 'REDIRECT_NOT_ALLOWED');
        const created = await t.create(t.reply('x'), { headers });
        assert.equal(created.status, 201);
        assert.equal(created.header(PREFERENCE_APPLIED), undefined);
        for (const both of BOTH) {
          const represented = await t.create(t.reply('x'), { headers: { [PREFER]: both } });
          assert.equal(represented.header(PREFERENCE_APPLIED), RETURN_REPRESENTATION);
        }
      },
      { needs: [PREFER_UPSTREAM_STATUS] },
    ),
  ],
  ['prefer'],
);
