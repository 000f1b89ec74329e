import assert from 'node:assert/strict';
import {
  EXPOSED_HEADERS,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../../protocol/headers.ts';
import { ACTION, ACTION_ABORT } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import type { TestResponse } from '../http-client.ts';

const ORIGIN = 'https://page.example';

function list(response: TestResponse, header: string): string[] {
  return (response.header(header) ?? '').split(',').map((each) => each.trim().toLowerCase());
}

/** Asserts that a page may read the response and these headers. */
function readable(response: TestResponse): void {
  assert.match(response.header('access-control-allow-origin') ?? '', /^(\*|https:\/\/page\.example)$/);
  const exposed = list(response, 'access-control-expose-headers');
  const missing = EXPOSED_HEADERS.filter((name) => !exposed.includes(name.toLowerCase()));
  assert.deepEqual(missing, [], `hidden from pages after a ${response.status}`);
}

export const cors = section('cors', [
  test('[CORS-1] pages can read every response, including errors', async (t) => {
    const headers = { Origin: ORIGIN };
    const response = await t.create(t.reply('x'), { headers });
    readable(response);
    const stream = t.streamOf(response);
    await stream.closed();
    readable(await stream.read({}, headers));
    readable(await stream.read({ live: 'sse' }, headers));
    readable(await t.send(stream.at({ [ACTION]: ACTION_ABORT }), { method: 'PATCH', headers }));
    readable(await stream.read({ signature: 'wrong' }, headers));
    readable(await t.send('', { method: 'POST', headers }));
    readable(await t.create(t.reply('overloaded', { status: 529 }), { headers }));
    readable(await t.create('http://not-allowed.invalid/', { headers }));
    readable(await stream.read({ offset: 'a,b' }, headers));
  }),

  test('[CORS-2] a preflight needs no credentials and allows the requested headers', async (t) => {
    const asked = [
      UPSTREAM_URL,
      UPSTREAM_METHOD,
      UPSTREAM_AUTHORIZATION,
      'authorization',
      'content-type',
      'x-api-key',
      'anthropic-version',
      'x-stainless-os',
      'idempotency-key',
    ];
    for (const [path, method] of [
      ['', 'POST'],
      ['01234567-89ab-4cde-8f01-23456789abcd', 'GET'],
      ['01234567-89ab-4cde-8f01-23456789abcd', 'PATCH'],
      ['01234567-89ab-4cde-8f01-23456789abcd', 'DELETE'],
    ] as const) {
      const response = await t.send(path, {
        method: 'OPTIONS',
        headers: {
          Origin: ORIGIN,
          'Access-Control-Request-Method': method,
          'Access-Control-Request-Headers': asked.join(', ').toLowerCase(),
        },
      });
      assert.equal(response.status, 204);
      assert.match(response.header('access-control-allow-origin') ?? '', /^(\*|https:\/\/page\.example)$/);
      assert.ok(list(response, 'access-control-allow-methods').includes(method.toLowerCase()), method);
      const allowed = list(response, 'access-control-allow-headers');
      assert.deepEqual(
        asked.map((name) => name.toLowerCase()).filter((name) => !allowed.includes(name)),
        [],
      );
    }
  }),

  test('[CORS-3] allows the three headers of a create without being asked', async (t) => {
    const response = await t.send('', {
      method: 'OPTIONS',
      headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'POST' },
    });
    assert.equal(response.status, 204);
    const allowed = list(response, 'access-control-allow-headers');
    for (const name of [UPSTREAM_URL, UPSTREAM_METHOD, UPSTREAM_AUTHORIZATION]) {
      assert.ok(allowed.includes(name.toLowerCase()), name);
    }
  }),
]);
