import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { IDEMPOTENCY_KEY, STREAM_KEY, UPSTREAM_HEADERS, UPSTREAM_STATUS } from '../../protocol/headers.ts';
import { KEY, OFFSET_START } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import type { TestResponse } from '../http-client.ts';

const pairsOf = (response: TestResponse): [string, string][] =>
  JSON.parse(response.header(UPSTREAM_HEADERS) ?? 'null') as [string, string][];

/** Creates a stream of an upstream with these headers, and returns the response too. */
const created = (t: TestTools, headers: Record<string, string | string[]>, init = {}) =>
  t.create(t.reply('x', { status: 202, headers }), init);

export const upstreamHead = section(
  'upstream-head',
  [
    test('[RESP-1][RESP-6] sends status and headers on the create, HEAD and reads of every mode', async (t) => {
      const response = await created(t, { 'X-Request-Id': 'req_1' });
      const stream = t.streamOf(response);
      const live = await stream.live();
      const responses = [
        response,
        await stream.head(),
        await stream.read(),
        await stream.poll(OFFSET_START),
        live.response,
      ];
      for (const each of responses) {
        assert.equal(each.header(UPSTREAM_STATUS), '202');
        assert.deepEqual(pairsOf(each), pairsOf(response));
      }
      assert.ok(pairsOf(response).some(([name, value]) => name === 'x-request-id' && value === 'req_1'));
      live.close();
    }),

    test(
      '[RESP-1] sends status and headers on a find and a replay',
      async (t) => {
        const headers = { [IDEMPOTENCY_KEY]: randomUUID(), [STREAM_KEY]: randomUUID() };
        const upstream = t.reply('x', { status: 202 });
        await t.create(upstream, { headers });
        const replay = await t.create(upstream, { headers });
        const find = await t.service(new URL(`${t.base}?${KEY}=${headers[STREAM_KEY]}`));
        for (const response of [replay, find]) assert.equal(response.header(UPSTREAM_STATUS), '202');
      },
      { needs: ['idempotency', 'find'] },
    ),

    test('[RESP-2] the headers are pairs in ASCII, with names in lower case', async (t) => {
      const response = await created(t, { 'X-Name': 'na\u00efve "quoted"' });
      assert.match(response.header(UPSTREAM_HEADERS) ?? '', /^[\x20-\x7e]+$/);
      for (const [name] of pairsOf(response)) assert.equal(name, name.toLowerCase());
      assert.ok(pairsOf(response).some(([name]) => name === 'x-name'));
    }),

    test('[RESP-3] omits cookies and hop-by-hop headers', async (t) => {
      const names = pairsOf(
        await created(t, {
          'Set-Cookie': ['a=b', 'c=d'],
          'Keep-Alive': 'timeout=5',
          Connection: 'x-hop',
          'X-Hop': '1',
          'Strict-Transport-Security': 'max-age=1',
          'Alt-Svc': 'clear',
        }),
      ).map(([name]) => name);
      const never =
        /^(set-cookie|keep-alive|connection|x-hop|strict-transport-security|alt-svc|content-(type|length|encoding)|transfer-encoding)$/;
      assert.deepEqual(
        names.filter((name) => never.test(name)),
        [],
      );
    }),

    test('[RESP-5] many large headers do not break a response', async (t) => {
      const many = Object.fromEntries(
        Array.from({ length: 6 }, (_, i) => [`x-large-${i}`, 'v'.repeat(2_000)]),
      );
      const response = await created(t, many);
      assert.ok((response.header(UPSTREAM_HEADERS) ?? '').length <= 8_192);
    }),
  ],
  ['upstream-head'],
);
