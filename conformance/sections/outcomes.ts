import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Outcome } from '../../protocol/outcomes.ts';
import { STREAM_CLOSED, STREAM_KEY, UPSTREAM_OUTCOME } from '../../protocol/headers.ts';
import { KEY, OFFSET, OFFSET_NOW } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectStatus } from '../expect.ts';
import type { Stream } from '../stream.ts';

/** Asserts that all reads return this outcome and these bytes. */
async function endsAs(stream: Stream, outcome: Outcome, bytes: string): Promise<void> {
  const gathered = await stream.closed();
  expectBytes(gathered.bytes, bytes);
  assert.equal(gathered.last.header(UPSTREAM_OUTCOME), outcome, 'long-poll');

  assert.equal((await stream.head()).header(UPSTREAM_OUTCOME), outcome, 'HEAD');
  assert.equal((await stream.catchUp()).last.header(UPSTREAM_OUTCOME), outcome, 'GET');
  const now = await stream.read({ [OFFSET]: OFFSET_NOW });
  assert.equal(now.header(UPSTREAM_OUTCOME), outcome, 'GET at now');
  const tail = await stream.poll(gathered.offset);
  assert.equal(tail.header(UPSTREAM_OUTCOME), outcome, 'long-poll at the end');

  for (const offset of ['-1', gathered.offset]) {
    const reader = await stream.live(offset);
    const last = (await reader.toEnd()).at(-1);
    assert.equal(last?.streamClosed, true);
    assert.equal(last.upstreamOutcome, outcome, 'SSE');
    if (outcome === 'complete') assert.equal(last.upstreamError, undefined);
    else {
      assert.match(last.upstreamError?.code ?? '', /^[A-Z][A-Z_]+$/);
      assert.ok(last.upstreamError?.message);
    }
  }
}

export const outcomes = section(
  'outcomes',
  [
    test('[OUT-1][OUT-2] a stream whose body ended is complete', async (t) => {
      await endsAs(await t.start(t.reply('whole')), 'complete', 'whole');
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('chunk ');
      await stream.until(6);
      await feed.end('by chunk');
      await endsAs(stream, 'complete', 'chunk by chunk');
    }),

    test('[OUT-2] an empty body is complete', async (t) => {
      const stream = await t.start(t.upstream(({ res }) => void res.writeHead(204).end()));
      await endsAs(stream, 'complete', '');
    }),

    test('[OUT-3] an aborted stream has the outcome aborted and keeps its bytes', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('half');
      await stream.until(4);
      await stream.abort();
      await endsAs(stream, 'aborted', 'half');
    }),

    test('[OUT-4] a connection reset within the body is an upstream-error', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('half');
      await stream.until(4);
      await feed.cut();
      await endsAs(stream, 'upstream-error', 'half');
    }),

    test('[OUT-4] a connection closed within a chunk is an upstream-error', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('half');
      await stream.until(4);
      await feed.hangUp();
      await endsAs(stream, 'upstream-error', 'half');
    }),

    test('[OUT-4] fewer bytes than Content-Length are an upstream-error', async (t) => {
      const feed = t.feed({ headers: { 'Content-Length': '100' } });
      const stream = await t.start(feed);
      await feed.send('half');
      await stream.until(4);
      await feed.hangUp();
      await endsAs(stream, 'upstream-error', 'half');
    }),

    test('[OUT-4] an incomplete compressed body is an upstream-error', async (t) => {
      const upstream = t.upstream(({ res }) => {
        res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' });
        res.end(Buffer.from('1f8b0800000000000003', 'hex'));
      });
      await endsAs(await t.start(upstream), 'upstream-error', '');
    }),

    test('[OUT-5] an open stream and a read before the end have no outcome', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send('x'.repeat(10));
      await stream.until(10);
      const reader = await stream.live();
      const control = await reader.until(10);
      assert.equal(control.upstreamOutcome, undefined);
      for (const response of [await stream.head(), await stream.read(), await stream.poll('-1')]) {
        await expectStatus(response, 200);
        assert.equal(response.header(UPSTREAM_OUTCOME), undefined);
        assert.equal(response.header(STREAM_CLOSED), undefined);
      }
    }),

    test(
      '[OUT-1][FIND-1] a find returns the outcome',
      async (t) => {
        const name = randomUUID();
        const url = new URL(`${t.base}?${KEY}=${name}`);
        const feed = t.feed();
        const stream = await t.start(feed, { headers: { [STREAM_KEY]: name } });
        assert.equal((await t.service(url)).header(UPSTREAM_OUTCOME), undefined);
        await stream.abort();
        assert.equal((await t.service(url)).header(UPSTREAM_OUTCOME), 'aborted');
      },
      { needs: ['find'] },
    ),

    test('[OUT-6] the first outcome does not change', async (t) => {
      const whole = await t.start(t.reply('whole'));
      await whole.closed();
      await whole.abort();
      await endsAs(whole, 'complete', 'whole');

      const feed = t.feed();
      const stopped = await t.start(feed);
      await feed.send('half');
      await stopped.until(4);
      await stopped.abort();
      await feed.cut();
      await endsAs(stopped, 'aborted', 'half');
    }),
  ],
  ['outcomes'],
);
