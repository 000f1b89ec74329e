import assert from 'node:assert/strict';
import { UPSTREAM_METHOD, UPSTREAM_URL } from '../../protocol/headers.ts';
import { section, test } from '../define.ts';
import { expectError, expectStatus } from '../expect.ts';

export const errors = section('errors', [
  test('[ERR-1][ERR-2] errors are JSON with a code and a message, and no-store', async (t) => {
    const stream = await t.start(t.reply('x'));
    const refusals = [
      [await t.send('', { method: 'POST' }), 'MISSING_SECRET'],
      [await t.create('http://x/', { token: 'wrong' }), 'INVALID_SECRET'],
      [await t.create('http://not-allowed.invalid/'), 'UPSTREAM_NOT_ALLOWED'],
      [await stream.read({ offset: 'a,b' }), 'INVALID_OFFSET'],
      [await stream.read({ signature: 'wrong' }), 'SIGNATURE_INVALID'],
    ] as const;
    for (const [response, code] of refusals) {
      await expectError(response, code);
      assert.match(response.header('cache-control') ?? '', /\bno-store\b/);
    }
  }),

  test('[ERR-3] responds 404 to unknown paths', async (t) => {
    await expectError(await t.service('a/b'), 'NOT_FOUND');
    await expectError(await t.service('01234567-89ab-4cde-8f01-23456789abcd/more'), 'NOT_FOUND');
  }),

  test('[ERR-4] responds 405 with Allow to an unsupported method', async (t) => {
    const stream = await t.start(t.reply('x'));
    for (const [path, method] of [
      ['', 'PUT'],
      ['', 'DELETE'],
      [stream.id, 'POST'],
      [stream.id, 'PUT'],
    ] as const) {
      const response = await t.service(path, { method });
      await expectError(response, 'METHOD_NOT_ALLOWED');
      assert.match(response.header('allow') ?? '', path === '' ? /\bPOST\b/ : /\bGET\b/);
    }
  }),

  test('[ERR-5] responds 400 to malformed HTTP and keeps running', async (t) => {
    const { host, pathname } = new URL(t.base);
    const requests = [
      'GET //\r\n\r\n',
      `GET // HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      'nonsense\r\n\r\n',
      `GET ${pathname}/%zz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      `GET http://[::1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx`,
      `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nX: a\0b\r\n\r\n`,
    ];
    for (const request of requests) {
      const text = await t.raw(request);
      assert.match(
        text,
        /^HTTP\/1\.1 4\d\d /,
        `${JSON.stringify(request.slice(0, 40))}: ${text.slice(0, 60)}`,
      );
    }
    await expectStatus(await t.create(t.reply('alive')), 201);
  }),

  test('[ERR-6] responds 4xx to endless headers and keeps running', async (t) => {
    const { host, pathname } = new URL(t.base);
    const text = await t.raw(
      `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nX-Long: ${'x'.repeat(1_000_000)}\r\n\r\n`,
    );
    // A reset is accepted too: the server may stop reading while the test is writing.
    assert.ok(text === '' || /^HTTP\/1\.1 4\d\d /.test(text), text.slice(0, 60));
    await expectStatus(await t.create(t.reply('alive')), 201);
  }),

  test('[ERR-7] rejects repeated parameters', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    for (const name of ['offset', 'live']) {
      const url = stream.at({ [name]: name === 'live' ? 'sse' : '-1' });
      url.searchParams.append(name, 'now');
      await expectError(await t.send(url), 'INVALID_REQUEST');
    }
  }),

  test('[ERR-8] does not call the upstream if the request body is incomplete', async (t) => {
    const upstream = t.reply('never');
    const { host, pathname } = new URL(t.base);
    const head = [
      `POST ${pathname} HTTP/1.1`,
      `Host: ${host}`,
      `Authorization: Bearer ${t.secret}`,
      `${UPSTREAM_URL}: ${upstream.url}`,
      `${UPSTREAM_METHOD}: POST`,
      'Content-Length: 100',
      '',
      'only this',
    ].join('\r\n');
    await t.cutOff(head);
    await expectStatus(await t.create(t.reply('alive')), 201);
    assert.equal(upstream.received.length, 0);
  }),
]);
