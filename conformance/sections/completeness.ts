import assert from 'node:assert/strict';
import { UPSTREAM_OUTCOME, UPSTREAM_USAGE } from '../../protocol/headers.ts';
import { REPORTED_ERROR } from '../../protocol/outcomes.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes } from '../expect.ts';
import type { Stream } from '../stream.ts';

const chunk = (delta: object, more: object = {}): string =>
  `data: ${JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    model: 'conformance-1',
    choices: [{ index: 0, delta, finish_reason: null, ...more }],
  })}\n\n`;

/** A chat completion of OpenAI: its parts, its end, its usage, and an error in its place. */
const BEGIN = chunk({ role: 'assistant', content: 'Hel' }) + chunk({ content: 'lo' });
const FINISH = chunk({}, { finish_reason: 'stop' });
const COUNTS = `data: ${JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  model: 'conformance-1',
  choices: [],
  usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
})}\n\n`;
const DONE = 'data: [DONE]\n\n';
const ERROR = `data: ${JSON.stringify({ error: { message: 'overloaded', code: 'overloaded' } })}\n\n`;

/** Reads a stream to its end with SSE, and returns the outcome and the other fields of the last control event. */
async function endOf(stream: Stream) {
  const reader = await stream.live();
  const last = (await reader.toEnd()).at(-1);
  assert.equal(last?.streamClosed, true);
  return { bytes: reader.bytes, outcome: last.upstreamOutcome, code: last.upstreamError?.code, last };
}

/** Starts a stream of a `text/event-stream` body that ends cleanly. */
const replied = (t: TestTools, body: string): Promise<Stream> => t.start(t.reply(body));

export const completeness = section(
  'completeness',
  [
    test('[END-1] a body of another media type is complete when it ends', async (t) => {
      const upstream = t.reply(BEGIN, { contentType: 'text/plain' });
      const { outcome } = await endOf(await t.start(upstream));
      assert.equal(outcome, 'complete');
    }),

    test('[END-1] events of no known format are complete at the end of the body', async (t) => {
      const { outcome } = await endOf(await replied(t, 'data: {"progress":1}\n\ndata: {"progress":2}\n\n'));
      assert.equal(outcome, 'complete');
    }),

    test('[END-2] an answer that has ended according to its own format is complete', async (t) => {
      const { outcome, bytes } = await endOf(await replied(t, BEGIN + FINISH + DONE));
      assert.equal(outcome, 'complete');
      expectBytes(bytes, BEGIN + FINISH + DONE);
    }),

    test('[END-2] a body that ends cleanly before the end of its format is truncated', async (t) => {
      const stream = await replied(t, BEGIN);
      const { outcome, code, bytes } = await endOf(stream);
      assert.deepEqual([outcome, code], ['truncated', 'UPSTREAM_TRUNCATED']);
      expectBytes(bytes, BEGIN);
      assert.equal((await stream.head()).header(UPSTREAM_OUTCOME), 'truncated');
    }),

    test('[END-2] an end event without its empty line does not count', async (t) => {
      const { outcome } = await endOf(await replied(t, BEGIN + FINISH.trimEnd()));
      assert.equal(outcome, 'truncated');
    }),

    test('[END-3] an error event is an upstream error, and its bytes stay as they are', async (t) => {
      const { outcome, code, bytes } = await endOf(await replied(t, BEGIN + ERROR));
      assert.deepEqual([outcome, code], ['upstream-error', REPORTED_ERROR]);
      expectBytes(bytes, BEGIN + ERROR);
    }),

    test(
      '[END-4] an answer that has ended is closed even if its connection stays open',
      async (t) => {
        const feed = t.feed();
        const stream = await t.start(feed);
        await feed.send(BEGIN + FINISH + DONE);
        assert.equal((await endOf(stream)).outcome, 'complete');
        await feed.abandoned;
      },
      { slow: true },
    ),

    test('[END-6] a connection that breaks after the end changes nothing', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      await feed.send(BEGIN + FINISH + DONE);
      await stream.until((BEGIN + FINISH + DONE).length);
      await feed.cut();
      assert.equal((await endOf(stream)).outcome, 'complete');
    }),

    test('[USAGE-1][USAGE-2][USAGE-3] HEAD, reads and the last event contain the usage that the provider reported', async (t) => {
      const stream = await replied(t, BEGIN + FINISH + COUNTS + DONE);
      const { last } = await stream.closed();
      const header = last.header(UPSTREAM_USAGE) ?? assert.fail(`no ${UPSTREAM_USAGE}`);
      assert.match(header, /^[\x20-\x7e]{2,4096}$/);
      const usage = JSON.parse(header) as Record<string, unknown>;
      const wanted = { format: 'openai-chat', model: 'conformance-1', inputTokens: 7, outputTokens: 2 };
      for (const [name, value] of Object.entries(wanted)) assert.equal(usage[name], value, name);
      assert.equal(usage['finishReason'], 'stop');
      assert.equal((await stream.head()).header(UPSTREAM_USAGE), header);
      assert.deepEqual((await endOf(stream)).last.upstreamUsage, usage);
    }),

    test('[USAGE-1] the usage of an answer that was cut off contains only what was reported before', async (t) => {
      const stream = await replied(t, BEGIN);
      const usage = JSON.parse((await stream.closed()).last.header(UPSTREAM_USAGE) ?? 'null') as object;
      assert.ok('model' in usage);
      assert.ok(!('outputTokens' in usage), 'tokens that the provider has not reported');
    }),

    test('[USAGE-2] an answer of no known format has no usage', async (t) => {
      const { last } = await (await replied(t, 'data: 1\n\n')).closed();
      assert.equal(last.header(UPSTREAM_USAGE), undefined);
    }),
  ],
  ['completeness'],
);
