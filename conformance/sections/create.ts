import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import {
  UPSTREAM_CONTENT_TYPE,
  UPSTREAM_METHOD,
  UPSTREAM_STATUS,
  UPSTREAM_URL,
} from '../../protocol/headers.ts';
import { EXPIRES, SIGNATURE, UPSTREAM_METHODS } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const create = section('create', [
  ...UPSTREAM_METHODS.map((method) =>
    test(`[CREATE-1] ${method}: the upstream receives the method, the URL with its query, and the body`, async (t) => {
      const upstream = t.upstream(({ res }) => void res.end('ok'), '/v1/chat?model=a%20b&empty=');
      const body = method === 'GET' ? undefined : Buffer.from([0, 13, 10, 255, 0xe2, 0x82, 0xac]);
      await t.start(upstream, { method, ...(body && { body }) });
      const request = await upstream.request();
      assert.equal(request.method, method);
      assert.ok(request.target.endsWith('/v1/chat?model=a%20b&empty='), request.target);
      expectBytes(request.body, body ?? '');
      assert.equal(upstream.received.length, 1);
    }),
  ),

  test('[CREATE-2][CREATE-4] responds 201 to a 2xx, with a signed URL below the mount and the content type', async (t) => {
    const upstream = t.reply('hello', { status: 202, contentType: 'text/plain; charset=utf-8' });
    const responses = [await t.create(upstream), await t.create(upstream)];
    const ids = responses.map((response) => {
      assert.equal(response.status, 201);
      assert.equal(response.header(UPSTREAM_CONTENT_TYPE), 'text/plain; charset=utf-8');
      const { id, url } = t.streamOf(response);
      assert.match(id, UUID);
      assert.equal(url.origin + url.pathname, `${t.base}/${id}`);
      assert.match(url.searchParams.get(EXPIRES) ?? '', /^\d+$/);
      assert.ok(url.searchParams.get(SIGNATURE));
      return id;
    });
    assert.notEqual(ids[0], ids[1]);
  }),

  test("[CREATE-3] responds after the upstream's headers, before its body", async (t) => {
    const feed = t.feed();
    const response = await t.create(feed);
    assert.equal(response.status, 201);
    assert.equal(await response.text(), '');
    await feed.end('late');
    expectBytes((await t.streamOf(response).closed()).bytes, 'late');
  }),

  test('[CREATE-5] rejects a missing upstream URL or method, and an invalid method', async (t) => {
    const upstream = t.reply('never');
    const create = (headers: Record<string, string | undefined>) => t.create(upstream, { headers });
    await expectError(await create({ [UPSTREAM_URL]: undefined }), 'MISSING_UPSTREAM_URL');
    await expectError(await create({ [UPSTREAM_METHOD]: undefined }), 'MISSING_UPSTREAM_METHOD');
    for (const method of ['TRACE', 'CONNECT', 'HEAD', 'OPTIONS', 'BREW']) {
      await expectError(await create({ [UPSTREAM_METHOD]: method }), 'INVALID_UPSTREAM_METHOD');
    }
    assert.equal(upstream.received.length, 0);
  }),

  test('[CREATE-6] checks credentials, presence, the method and the URL in this order', async (t) => {
    const create = (headers: Record<string, string | undefined>, token?: string) =>
      t.create('http://not-allowed.invalid/', { headers, ...(token !== undefined && { token }) });
    const nothing = { [UPSTREAM_URL]: undefined, [UPSTREAM_METHOD]: undefined };
    await expectError(await create(nothing, 'wrong'), 'INVALID_SECRET');
    await expectError(await create(nothing), 'MISSING_UPSTREAM_URL');
    await expectError(await create({ [UPSTREAM_METHOD]: undefined }), 'MISSING_UPSTREAM_METHOD');
    await expectError(await create({ [UPSTREAM_METHOD]: 'BREW' }), 'INVALID_UPSTREAM_METHOD');
    await expectError(await create({}), 'UPSTREAM_NOT_ALLOWED');
  }),

  ...[400, 401, 429, 500, 503].map((status) =>
    test(`[CREATE-7] an upstream's ${status} becomes a 502 with its status, type and body, without a stream`, async (t) => {
      const upstream = t.reply('{"error":"überlastet"}', {
        status,
        contentType: 'application/problem+json',
        headers: { 'Retry-After': '17', 'X-RateLimit-Remaining': '0', 'Set-Cookie': 'a=b' },
      });
      const response = await t.create(upstream);
      assert.equal(response.status, 502);
      assert.equal(response.header(UPSTREAM_STATUS), String(status));
      assert.equal(response.header('content-type'), 'application/problem+json');
      expectBytes(await response.bytes(), '{"error":"überlastet"}');
      assert.equal(response.header('location'), undefined);
      assert.equal(response.header('retry-after'), '17');
      assert.equal(response.header('x-ratelimit-remaining'), '0');
      assert.equal(response.header('set-cookie'), undefined);
    }),
  ),

  ...[301, 302, 303, 307, 308].map((status) =>
    test(`[CREATE-8] an upstream's ${status} is rejected and not followed`, async (t) => {
      const trap = t.reply('trap');
      const response = await t.create(t.reply('', { status, headers: { Location: trap.url } }));
      await expectError(response, 'REDIRECT_NOT_ALLOWED');
      assert.equal(response.header('location'), undefined);
      assert.equal(trap.received.length, 0);
    }),
  ),

  test('[CREATE-9] responds 502 if the upstream resets the connection or sends malformed HTTP', async (t) => {
    const resetting = t.upstream(({ res }) => void res.socket?.resetAndDestroy());
    await expectError(await t.create(resetting), 'UPSTREAM_ERROR');
    const babbling = t.upstream(({ res }) => void res.socket?.end('what?\r\n\r\n'));
    await expectError(await t.create(babbling), 'UPSTREAM_ERROR');
    const cut = t.upstream(({ res }) => void res.socket?.end('HTTP/1.1 200 OK\r\nContent-Le'));
    await expectError(await t.create(cut), 'UPSTREAM_ERROR');
  }),

  test('[CREATE-10] creates an empty closed stream for a 204 and an empty 200', async (t) => {
    for (const upstream of [
      t.upstream(({ res }) => void res.writeHead(204).end()),
      t.upstream(({ res }) => void res.writeHead(200, { 'Content-Length': 0 }).end()),
    ]) {
      const stream = await t.start(upstream);
      const { bytes } = await stream.closed();
      assert.equal(bytes.length, 0);
    }
  }),

  test('[CREATE-11] cancels the upstream request if the caller disconnects before the response', async (t) => {
    const feed = t.feed({ held: true });
    const leaving = new AbortController();
    const create = t.create(feed, { signal: leaving.signal });
    create.catch(() => undefined);
    await feed.request();
    leaving.abort();
    await feed.abandoned;
    await assert.rejects(create);
  }),

  test('[CREATE-12] marks the signed URL no-store', async (t) => {
    const response = await t.create(t.reply('x'));
    assert.match(response.header('cache-control') ?? '', /\bno-store\b/);
  }),

  test('[CREATE-13] stores a compressed body decoded', async (t) => {
    const text = 'data: {"delta":"Straße"}\n\n'.repeat(200);
    const upstream = t.upstream(({ res }) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' });
      res.end(gzipSync(text));
    });
    expectBytes((await (await t.start(upstream)).closed()).bytes, text);
  }),

  test('[CREATE-14] does not use the host of the request in the signed URL', async (t) => {
    const response = await t.create(t.reply('x'), {
      headers: {
        'X-Forwarded-Host': 'evil.example',
        'X-Forwarded-Proto': 'gopher',
        Forwarded: 'host=evil.example',
      },
    });
    await expectStatus(response, 201);
    assert.doesNotMatch(response.header('location') ?? '', /evil|gopher/);
    const { host, pathname } = new URL(t.base);
    const upstream = t.reply('x');
    const raw = await t.raw(
      [
        `POST ${pathname} HTTP/1.1`,
        `Host: evil.example`,
        `Authorization: Bearer ${t.secret}`,
        `${UPSTREAM_URL}: ${upstream.url}`,
        `${UPSTREAM_METHOD}: GET`,
        'Connection: close',
        '',
        '',
      ].join('\r\n'),
    );
    // A server behind a router that uses the Host header may not be reachable with this one.
    if (/^HTTP\/1\.1 201/.test(raw)) assert.doesNotMatch(/^location: (.*)$/im.exec(raw)?.[1] ?? '', /evil/);
    else
      assert.equal(
        upstream.received.length,
        0,
        `${host} called the upstream and responded ${raw.slice(0, 80)}`,
      );
  }),

  test('[CREATE-15][ERR-7] rejects repeated headers', async (t) => {
    const upstream = t.reply('never');
    for (const headers of [
      { [UPSTREAM_URL]: [upstream.url, 'http://other.invalid/'] },
      { [UPSTREAM_METHOD]: ['GET', 'DELETE'] },
    ]) {
      await expectError(await t.create(upstream, { headers }), 'INVALID_REQUEST');
    }
    assert.equal(upstream.received.length, 0);
  }),

  test('[CREATE-16] does not name a content type if the upstream sent none', async (t) => {
    const response = await t.create(t.reply('x', { contentType: null }));
    assert.equal(response.status, 201);
    assert.equal(response.header(UPSTREAM_CONTENT_TYPE), undefined);
    expectBytes((await t.streamOf(response).closed()).bytes, 'x');
  }),
]);
