import assert from 'node:assert/strict';
import { UNREAD_TIMEOUT, UPSTREAM_OUTCOME } from '../../protocol/headers.ts';
import { UNREAD } from '../../protocol/outcomes.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError } from '../expect.ts';

/** Starts an answer that sends four bytes, then whatever the test sends. */
async function begin(t: TestTools, timeout: string) {
  const feed = t.feed();
  const stream = await t.start(feed, { headers: { [UNREAD_TIMEOUT]: timeout } });
  await feed.send('half');
  return { feed, stream };
}

/** Resolves when a second answer that begins now, with the shortest timeout, was canceled. */
async function anotherIsCanceled(t: TestTools): Promise<void> {
  await (
    await begin(t, '1')
  ).feed.abandoned;
}

const SLOW = { slow: true };

export const unread = section(
  'unread',
  [
    test(
      '[UNREAD-1][UNREAD-3] an answer without a reader is canceled, and its bytes are kept',
      async (t) => {
        const { feed, stream } = await begin(t, '1');
        await feed.abandoned;
        const reader = await stream.live();
        const last = (await reader.toEnd()).at(-1);
        assert.deepEqual([last?.upstreamOutcome, last?.upstreamError?.code], ['aborted', UNREAD]);
        expectBytes(reader.bytes, 'half');
        assert.equal((await stream.head()).header(UPSTREAM_OUTCOME), 'aborted');
      },
      SLOW,
    ),

    test(
      '[UNREAD-2] an answer with a reader is not canceled',
      async (t) => {
        const { feed, stream } = await begin(t, '1');
        const reader = await stream.live();
        await reader.until(4);
        for (let i = 0; i < 2; i += 1) await anotherIsCanceled(t);
        await feed.end(' whole');
        assert.equal((await reader.toEnd()).at(-1)?.upstreamOutcome, 'complete');
        expectBytes(reader.bytes, 'half whole');
      },
      SLOW,
    ),

    test(
      '[UNREAD-5] an answer that asks for “infinite” is not canceled',
      async (t) => {
        const { feed, stream } = await begin(t, 'infinite');
        for (let i = 0; i < 2; i += 1) await anotherIsCanceled(t);
        assert.equal((await stream.head()).header(UPSTREAM_OUTCOME), undefined);
        await feed.end(' whole');
        assert.equal((await stream.closed()).last.header(UPSTREAM_OUTCOME), 'complete');
      },
      SLOW,
    ),

    test('[UNREAD-7] any other value is refused, and no upstream is called', async (t) => {
      const upstream = t.reply('never');
      for (const value of ['0', '-1', '1.5', '1e3', 'never', 'Infinity']) {
        await expectError(
          await t.create(upstream, { headers: { [UNREAD_TIMEOUT]: value } }),
          'INVALID_REQUEST',
        );
      }
      assert.equal(upstream.received.length, 0);
    }),
  ],
  ['unread'],
);
