import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { UPSTREAM_AUTHORIZATION, UPSTREAM_OUTCOME, UPSTREAM_RECOVERIES } from '../../protocol/headers.ts';
import { brokenAnswer, COUNT, events, type BrokenAnswer } from '../broken-answer.ts';
import { section, test } from '../define.ts';
import type { Gathered, Stream } from '../stream.ts';

/** Returns the numbers of the stored events, which have to be complete. */
function numbers({ bytes }: Gathered): unknown[] {
  const text = bytes.toString('utf8');
  assert.ok(text === '' || text.endsWith('\n\n'), 'the stream ends inside an event');
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => (JSON.parse(line.slice(6)) as { sequence_number: unknown }).sequence_number);
}

async function endsWith(stream: Stream, outcome: string, count: number): Promise<void> {
  const gathered = await stream.closed();
  assert.deepEqual(
    numbers(gathered),
    Array.from({ length: count }, (_, i) => i),
  );
  assert.equal(gathered.last.header(UPSTREAM_OUTCOME), outcome);
}

const creates = ({ upstream }: BrokenAnswer): number =>
  upstream.received.filter(({ method, target }) => method === 'POST' && target.endsWith('/responses')).length;

export const recovery = section(
  'recovery',
  [
    test('[RECOVER-1][RECOVER-2] an answer that breaks inside an event is completed, with each event once', async (t) => {
      const response = brokenAnswer(t);
      await endsWith(await response.start(), 'complete', COUNT);
      assert.equal(creates(response), 1, 'the answer was begun again');
    }),

    test('[RECOVER-1][RECOVER-3] an answer whose connection was reset is completed, with each event once', async (t) => {
      let connection: ServerResponse | undefined;
      const begin = events(0, 2);
      const response = brokenAnswer(t, {
        first: (res) => {
          connection = res;
          res.write(begin);
        },
      });
      const stream = await response.start();
      await stream.until(begin.length);
      connection?.socket?.resetAndDestroy();
      await endsWith(stream, 'complete', COUNT);
    }),

    test('[RECOVER-3] retries after a premature end and after a 503', async (t) => {
      const response = brokenAnswer(t, {
        first: (res) => void res.end(events(0, 2)),
        next: ({ res }, index) => index < 2 && (res.writeHead(503).end(), true),
      });
      await endsWith(await response.start(), 'complete', COUNT);
    }),

    test('[RECOVER-4] a 404 ends the stream with the outcome that it would have had', async (t) => {
      const response = brokenAnswer(t, { next: ({ res }) => (res.writeHead(404).end(), true) });
      await endsWith(await response.start(), 'upstream-error', 3);
      assert.equal(response.upstream.received.length, 2);
    }),

    test('[RECOVER-5] the end of the stored response is appended when it can no longer be streamed', async (t) => {
      const response = brokenAnswer(t, {
        next: ({ request, res }) => {
          res.writeHead(request.target.includes('stream=true') ? 400 : 200, {
            'Content-Type': 'application/json',
          });
          res.end(JSON.stringify({ id: 'resp_1', status: 'completed', output: ['whole'] }));
          return true;
        },
      });
      const gathered = await (await response.start()).closed();
      assert.deepEqual(numbers(gathered), [0, 1, 2, 3]);
      assert.match(gathered.bytes.toString('utf8'), /"response\.completed".*"whole"/);
      assert.equal(gathered.last.header(UPSTREAM_OUTCOME), 'complete');
    }),

    test('[RECOVER-6] an abort sends the cancel request of the provider', async (t) => {
      const begin = events(0, 2);
      const response = brokenAnswer(t, {
        first: (res) => void res.write(begin),
        next: ({ res }) => (res.writeHead(200).end('{}'), true),
      });
      const stream = await response.start();
      await stream.until(begin.length);
      await stream.abort();
      const { method, target } = await response.upstream.request(1);
      assert.equal(method, 'POST');
      assert.match(target, /\/v1\/responses\/resp_1\/cancel$/);
    }),

    test('[RECOVER-7] HEAD and reads contain the number of times that a stream was continued', async (t) => {
      const response = brokenAnswer(t, {
        next: ({ res }, index) => {
          if (index > 0) return false;
          res.writeHead(200, { 'Content-Type': 'text/event-stream' });
          res.write(events(3, 4), () => res.socket?.end());
          return true;
        },
      });
      const stream = await response.start();
      await endsWith(stream, 'complete', COUNT);
      for (const each of [await stream.head(), await stream.read()]) {
        assert.equal(each.header(UPSTREAM_RECOVERIES), '2');
      }
      const whole = await t.start(t.reply('whole'));
      await whole.closed();
      assert.equal((await whole.head()).header(UPSTREAM_RECOVERIES), undefined);
    }),

    test('[RECOVER-8] the caller’s credentials are sent again, but no redirect is followed', async (t) => {
      const elsewhere = t.reply(events(3, COUNT));
      const response = brokenAnswer(t, {
        next: ({ res }) => (res.writeHead(302, { Location: elsewhere.url }).end(), true),
      });
      const stream = await response.start({ [UPSTREAM_AUTHORIZATION]: 'Bearer sk-caller' });
      await endsWith(stream, 'upstream-error', 3);
      assert.equal((await response.upstream.request(1)).headers.authorization, 'Bearer sk-caller');
      assert.equal(elsewhere.received.length, 0);
    }),
  ],
  ['recovery'],
);
