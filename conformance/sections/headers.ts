import assert from 'node:assert/strict';
import {
  IDEMPOTENCY_KEY,
  PREFER,
  STREAM_KEY,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../../protocol/headers.ts';
import { SECRET } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectStatus } from '../expect.ts';
import type { ReceivedRequest } from '../stand-in.ts';

async function forwarded(
  t: TestTools,
  headers: Readonly<Record<string, string | readonly string[]>>,
  body?: string,
): Promise<ReceivedRequest> {
  const upstream = t.reply('ok');
  await t.start(upstream, { headers, ...(body !== undefined && { body }) });
  return upstream.request();
}

function absent(request: ReceivedRequest, names: readonly string[]): void {
  const there = names.filter((name) => request.headers[name.toLowerCase()] !== undefined);
  assert.deepEqual(there, [], 'these must not reach an upstream');
}

export const headers = section('headers', [
  test('[FWD-1] forwards headers of the caller unchanged', async (t) => {
    const sent = {
      'Content-Type': 'application/json; charset=utf-8',
      Accept: 'text/event-stream, */*;q=0.1',
      'X-Api-Key': 'key of the caller',
      'anthropic-version': '2023-06-01',
      'OpenAI-Beta': 'assistants=v2',
      'X-Stainless-Lang': 'js',
      'X-Custom': 'not ASCII: \xfc',
      'User-Agent': 'suite/1',
    };
    const request = await forwarded(t, sent, '{}');
    for (const [name, value] of Object.entries(sent)) {
      assert.equal(request.headers[name.toLowerCase()], value, name);
    }
  }),

  test('[FWD-2] forwards the credentials for the upstream only', async (t) => {
    const key = 'Bearer sk-of-the-upstream';
    const request = await forwarded(t, { [UPSTREAM_AUTHORIZATION]: key });
    assert.deepEqual(
      request.rawHeaders.filter(([name]) => name.toLowerCase() === 'authorization').map(([, value]) => value),
      [key],
    );
    absent(await forwarded(t, {}), ['Authorization']);
    const upstream = t.reply('ok');
    const response = await t.send(new URL(`${t.base}?${SECRET}=${encodeURIComponent(t.secret)}`), {
      method: 'POST',
      headers: { [UPSTREAM_URL]: upstream.url, [UPSTREAM_METHOD]: 'GET' },
    });
    await expectStatus(response, 201);
    await t.streamOf(response).remove();
    const { headers: received, target } = await upstream.request();
    assert.ok(!JSON.stringify([received, target]).includes(t.secret), 'the secret went to the upstream');
  }),

  test('[FWD-3] does not forward hop-by-hop headers and those that Connection names', async (t) => {
    const request = await forwarded(t, {
      Connection: 'keep-alive, X-Hop',
      'Keep-Alive': 'timeout=5',
      'X-Hop': '1',
      'Proxy-Authorization': 'Basic eDp5',
      'Proxy-Authenticate': 'Basic',
      TE: 'trailers',
      Trailer: 'X-After',
      'X-End': 'stays',
    });
    absent(request, ['X-Hop', 'Proxy-Authorization', 'Proxy-Authenticate', 'TE', 'Trailer']);
    assert.notEqual(request.headers['keep-alive'], 'timeout=5');
    assert.equal(request.headers['x-end'], 'stays');
  }),

  test('[FWD-4] does not forward headers of this protocol', async (t) => {
    const request = await forwarded(t, {
      [IDEMPOTENCY_KEY]: `fwd-${Date.now()}-${Math.random()}`,
      [STREAM_KEY]: 'fwd-4',
      [PREFER]: 'handling=lenient',
      [UPSTREAM_AUTHORIZATION]: 'Bearer x',
    });
    const own = [UPSTREAM_URL, UPSTREAM_METHOD, UPSTREAM_AUTHORIZATION, IDEMPOTENCY_KEY, STREAM_KEY, PREFER];
    absent(request, own);
  }),

  test('[FWD-5] does not forward cookies and headers of browsers and proxies', async (t) => {
    const request = await forwarded(t, {
      Cookie: 'session=secret',
      Origin: 'https://page.example',
      Referer: 'https://page.example/private',
      'Sec-Fetch-Site': 'cross-site',
      'Sec-CH-UA': '"x"',
      Forwarded: 'for=192.0.2.1',
      'X-Forwarded-For': '192.0.2.1',
      'X-Forwarded-Host': 'page.example',
      'X-Forwarded-Proto': 'https',
      'X-Real-IP': '192.0.2.1',
      'Accept-Encoding': 'x-of-the-caller',
    });
    absent(request, ['Cookie', 'Origin', 'Referer', 'Sec-Fetch-Site', 'Sec-CH-UA', 'Forwarded']);
    absent(request, ['X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Real-IP']);
    assert.notEqual(request.headers['accept-encoding'], 'x-of-the-caller');
  }),

  test('[FWD-8] forwards the body byte for byte, whatever its type', async (t) => {
    const bodies: [string, string | Uint8Array][] = [
      ['application/json', '{ "id": 9007199254740993, "id": 1.0 }\n'],
      ['application/json', 'not JSON'],
      ['application/x-www-form-urlencoded', 'a=%20&a=+&b[c]=%C3%BC'],
      ['text/plain', Uint8Array.of(0xef, 0xbb, 0xbf, 0xff, 0x00, 0x0d)],
    ];
    for (const [type, body] of bodies) {
      const upstream = t.reply('ok');
      await t.start(upstream, { headers: { 'Content-Type': type }, body });
      expectBytes((await upstream.request()).body, body);
    }
  }),

  test('[FWD-9] forwards headers that callers send to a platform', async (t) => {
    const sent = {
      'CF-Access-Client-Id': 'id.access',
      'CF-Access-Client-Secret': 'secret',
      'cf-aig-metadata': '{}',
      'X-Vercel-Protection-Bypass': 'bypass',
      'Fly-Prefer-Region': 'fra',
      'Fly-Force-Instance-Id': '1',
    };
    const request = await forwarded(t, sent);
    for (const [name, value] of Object.entries(sent)) {
      assert.equal(request.headers[name.toLowerCase()], value, name);
    }
  }),

  test('[FWD-6] sends Host and Content-Length of the upstream request', async (t) => {
    const upstream = t.reply('ok');
    await t.start(upstream, { body: 'fünf', headers: { 'Transfer-Encoding': 'chunked' } });
    const request = await upstream.request();
    assert.equal(request.headers.host, new URL(upstream.url).host);
    assert.equal(request.headers['content-length'], '5');
    assert.equal(request.headers['transfer-encoding'], undefined);
    assert.equal(request.body.toString(), 'fünf');
  }),

  test('[FWD-7] forwards repeated headers', async (t) => {
    const request = await forwarded(t, { 'X-Many': ['one', 'two'] });
    const many = request.rawHeaders.filter(([name]) => name.toLowerCase() === 'x-many');
    assert.equal(many.map(([, value]) => value).join(', '), 'one, two');
  }),
]);
