import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  IDEMPOTENCY_KEY,
  PREFER,
  PREFERENCE_APPLIED,
  RETURN_REPRESENTATION,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';
import { SseReader } from '../sse-reader.ts';

const wanting = { headers: { [PREFER]: RETURN_REPRESENTATION } };

export const prefer = section(
  'prefer',
  [
    test('[PREFER-1] the 201 carries the live read from the beginning, and all that a 201 carries', async (t) => {
      const feed = t.feed();
      const answer = await t.create(feed, wanting);
      assert.equal(answer.status, 201);
      assert.equal(answer.header(PREFERENCE_APPLIED), RETURN_REPRESENTATION);
      assert.match(answer.header('content-type') ?? '', /^text\/event-stream\b/);
      const reader = new SseReader(answer);
      await feed.send('first');
      const control = await reader.until(5);
      const stream = t.streamOf(answer);
      expectBytes((await stream.catchUp()).bytes, 'first');
      await feed.end(' last');
      const controls = await reader.toEnd();
      expectBytes(reader.bytes, 'first last');
      assert.equal(controls.at(-1)?.streamClosed, true);
      expectBytes((await stream.catchUp(control.streamNextOffset)).bytes, ' last');
    }),

    test('[PREFER-2] unasked, or asked for something else, the 201 has no body', async (t) => {
      for (const preference of [
        undefined,
        'return=minimal',
        'respond-async, wait=10',
        'x-return=representation',
      ]) {
        const answer = await t.create(t.reply('x'), { headers: { [PREFER]: preference } });
        await expectStatus(answer, 201);
        assert.equal(answer.header(PREFERENCE_APPLIED), undefined);
        assert.equal((await answer.bytes()).length, 0);
      }
    }),

    test('[PREFER-2] it is found among other preferences', async (t) => {
      const many = {
        headers: { [PREFER]: ['respond-async', `wait=10, ${RETURN_REPRESENTATION}; foo="bar"`] },
      };
      const answer = await t.create(t.reply('x'), many);
      assert.equal(answer.header(PREFERENCE_APPLIED), RETURN_REPRESENTATION);
      const reader = new SseReader(answer);
      await reader.toEnd();
      expectBytes(reader.bytes, 'x');
    }),

    test('[PREFER-3] a refusal is what it would be without', async (t) => {
      await expectError(await t.create('http://not-allowed.invalid/', wanting), 'UPSTREAM_NOT_ALLOWED');
      const answer = await t.create(t.reply('busy', { status: 429, contentType: 'text/plain' }), wanting);
      assert.equal(answer.status, 502);
      assert.equal(answer.header(UPSTREAM_STATUS), '429');
      assert.equal(answer.header(PREFERENCE_APPLIED), undefined);
      expectBytes(await answer.bytes(), 'busy');
    }),

    test('[PREFER-4] who stops reading has not stopped the answer', async (t) => {
      const feed = t.feed();
      const answer = await t.create(feed, wanting);
      const reader = new SseReader(answer);
      await feed.send('some ');
      await reader.until(5);
      const stream = t.streamOf(answer);
      reader.close();
      await t.settle();
      await feed.end('more');
      expectBytes((await stream.closed()).bytes, 'some more');
    }),

    test(
      '[PREFER-5] under a key that is known, the 200 carries the whole read',
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
  ],
  ['prefer'],
);
