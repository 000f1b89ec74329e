import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { PENDING } from '../../protocol/control.ts';
import {
  IDEMPOTENCY_KEY,
  IDEMPOTENCY_REPLAYED,
  PREFER,
  PREFERENCE_APPLIED,
  RESPOND_ASYNC,
  RETURN_REPRESENTATION,
  STREAM_KEY,
  UPSTREAM_OUTCOME,
  UPSTREAM_STATE,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import { ACTION, ACTION_ABORT, KEY, OFFSET_START } from '../../protocol/query.ts';
import type { TestTools, CreateInit } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';
import { SseReader } from '../sse-reader.ts';
import type { Upstream } from '../stand-in.ts';
import type { Stream } from '../stream.ts';

const wanting = (headers: CreateInit['headers'] = {}): CreateInit => ({
  headers: { [PREFER]: RESPOND_ASYNC, ...headers },
});

async function startPending(t: TestTools, upstream: Upstream | string, headers = {}): Promise<Stream> {
  const response = await t.create(upstream, wanting(headers));
  await expectStatus(response, 202);
  return t.streamOf(response);
}

/** Returns the end of a stream from an SSE read. */
async function endOf(stream: Stream): Promise<{ bytes: Buffer; outcome?: string; code?: string }> {
  const reader = await stream.live();
  const last = (await reader.toEnd()).at(-1);
  assert.equal(last?.streamClosed, true);
  return {
    bytes: reader.bytes,
    ...(last.upstreamOutcome && { outcome: last.upstreamOutcome }),
    ...(last.upstreamError && { code: last.upstreamError.code }),
  };
}

export const respondAsync = section(
  'respond-async',
  [
    test('[ASYNC-1][ASYNC-12] the 202 does not wait for the upstream, whose request continues without the caller', async (t) => {
      const feed = t.feed({ held: true });
      const response = await t.create(feed, wanting());
      await expectStatus(response, 202);
      assert.equal(response.header(PREFERENCE_APPLIED), RESPOND_ASYNC);
      assert.equal(response.header(UPSTREAM_STATE), PENDING);
      assert.equal((await response.bytes()).length, 0);
      const stream = t.streamOf(response);
      await feed.request();
      assert.equal((await stream.head()).header(UPSTREAM_STATE), PENDING);
      feed.begin();
      await feed.end('answer');
      expectBytes((await stream.closed()).bytes, 'answer');
    }),

    test('[ASYNC-2] does not change errors without an upstream call', async (t) => {
      await expectError(await t.create('http://not-allowed.invalid/', wanting()), 'UPSTREAM_NOT_ALLOWED');
      await expectError(await t.create(t.reply('x'), { ...wanting(), token: 'wrong' }), 'INVALID_SECRET');
    }),

    test('[ASYNC-3][ASYNC-5] the 202 has the live read: pending, the head, the body', async (t) => {
      const feed = t.feed({ held: true, contentType: 'text/plain' });
      const response = await t.create(
        feed,
        wanting({ [PREFER]: `${RESPOND_ASYNC}, ${RETURN_REPRESENTATION}` }),
      );
      await expectStatus(response, 202);
      const applied = (response.header(PREFERENCE_APPLIED) ?? '').split(/,\s*/);
      assert.deepEqual(applied.sort(), [RESPOND_ASYNC, RETURN_REPRESENTATION].sort());
      const reader = new SseReader(response);
      const first = await reader.nextReal();
      assert.ok(first?.kind === 'control' && first.control.upstreamState === PENDING);
      feed.begin();
      const second = await reader.nextReal();
      assert.ok(second?.kind === 'control', 'the head comes before the body');
      assert.equal(second.control.upstreamHead?.status, 200);
      assert.equal(second.control.upstreamHead.contentType, 'text/plain');
      await feed.end('body');
      await reader.toEnd();
      expectBytes(reader.bytes, 'body');
    }),

    test('[ASYNC-4][ASYNC-6] the head ends a long-poll and is on every later response', async (t) => {
      const feed = t.feed({ held: true, status: 201 });
      const stream = await startPending(t, feed);
      await feed.request();
      const polling = stream.poll(OFFSET_START);
      feed.begin();
      const polled = await polling;
      await expectStatus(polled, 204);
      for (const response of [polled, await stream.head(), await stream.read()]) {
        assert.equal(response.header(UPSTREAM_STATUS), '201');
        assert.equal(response.header(UPSTREAM_STATE), undefined);
      }
      await feed.end();
    }),

    test('[ASYNC-7] an upstream’s error closes the stream, with its status and body', async (t) => {
      for (const status of [400, 429, 503]) {
        const stream = await startPending(t, t.reply('the error', { status, contentType: 'text/plain' }));
        const { bytes, outcome, code } = await endOf(stream);
        expectBytes(bytes, 'the error');
        assert.deepEqual([outcome, code], ['refused', 'UPSTREAM_ERROR']);
        const read = await stream.read();
        assert.equal(read.header(UPSTREAM_STATUS), String(status));
        assert.equal(read.header(UPSTREAM_OUTCOME), 'refused');
      }
    }),

    test('[ASYNC-8] a redirect and a failed upstream request close the stream without a head', async (t) => {
      const redirect = t.reply('', { status: 302, headers: { Location: '/elsewhere' } });
      const silent = t.upstream(({ res }) => void res.destroy());
      for (const [upstream, expected] of [
        [redirect, 'REDIRECT_NOT_ALLOWED'],
        [silent, 'UPSTREAM_ERROR'],
      ] as const) {
        const stream = await startPending(t, upstream);
        const { bytes, outcome, code } = await endOf(stream);
        assert.deepEqual([bytes.length, outcome, code], [0, 'refused', expected]);
        const read = await stream.read();
        assert.equal(read.header(UPSTREAM_STATUS), undefined);
        assert.equal(read.header(UPSTREAM_STATE), PENDING);
      }
    }),

    test('[ASYNC-9] an abort by URL cancels the upstream request', async (t) => {
      const feed = t.feed({ held: true });
      const stream = await startPending(t, feed);
      await feed.request();
      const response = await t.send(stream.at({ [ACTION]: ACTION_ABORT }), { method: 'PATCH' });
      await expectStatus(response, 204);
      await feed.abandoned;
      assert.equal((await endOf(stream)).outcome, 'aborted');
    }),

    test(
      '[ASYNC-10] the key of a pending stream returns that stream, for both kinds of creates',
      async (t) => {
        const feed = t.feed({ held: true });
        const key = { [IDEMPOTENCY_KEY]: randomUUID() };
        const stream = await startPending(t, feed, key);
        await feed.request();
        const again = await t.create(feed, wanting(key));
        await expectStatus(again, 202);
        assert.equal(again.header(IDEMPOTENCY_REPLAYED), 'true');
        const waiting = t.create(feed, { headers: key });
        feed.begin();
        const waited = await waiting;
        await expectStatus(waited, 200);
        for (const response of [again, waited]) assert.equal(t.streamOf(response).id, stream.id);
        assert.equal(feed.received.length, 1);
        await feed.end();
      },
      { needs: ['idempotency'] },
    ),

    test(
      '[ASYNC-11] a refused create releases its key',
      async (t) => {
        let calls = 0;
        const upstream = t.upstream(({ res }) => {
          res.writeHead((calls += 1) === 1 ? 500 : 200).end(`${calls}`);
        });
        const key = { [IDEMPOTENCY_KEY]: randomUUID() };
        const refused = await startPending(t, upstream, key);
        assert.equal((await endOf(refused)).outcome, 'refused');
        // The key may be released after the end.
        for (;;) {
          const response = await t.create(upstream, wanting(key));
          if (t.streamOf(response).id === refused.id) continue;
          expectBytes((await endOf(t.streamOf(response))).bytes, '2');
          break;
        }
        expectBytes((await refused.catchUp()).bytes, '1');
      },
      { needs: ['idempotency'] },
    ),

    test(
      '[ASYNC-4] a pending stream is found by its name',
      async (t) => {
        const feed = t.feed({ held: true });
        const name = randomUUID();
        const stream = await startPending(t, feed, { [STREAM_KEY]: name });
        const found = await t.service(new URL(`${t.base}?${KEY}=${name}`));
        await expectStatus(found, 200);
        assert.equal(t.streamOf(found).id, stream.id);
        assert.equal(found.header(UPSTREAM_STATE), PENDING);
        feed.begin();
        await feed.end();
      },
      { needs: ['find'] },
    ),
  ],
  ['respond-async', 'outcomes'],
);
