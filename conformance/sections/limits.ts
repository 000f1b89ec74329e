import assert from 'node:assert/strict';
import { UPSTREAM_METHOD, UPSTREAM_URL } from '../../protocol/headers.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectStatus } from '../expect.ts';

export const limits = section('limits', [
  test('[LIMIT-1] rejects a request by its Content-Length before its body is sent', async (t) => {
    const upstream = t.reply('never');
    const { host, pathname } = new URL(t.base);
    const response = await t.raw(
      [
        `POST ${pathname} HTTP/1.1`,
        `Host: ${host}`,
        `Authorization: Bearer ${t.secret}`,
        `${UPSTREAM_URL}: ${upstream.url}`,
        `${UPSTREAM_METHOD}: POST`,
        `Content-Length: ${Number.MAX_SAFE_INTEGER}`,
        '',
        'x',
      ].join('\r\n'),
      (text) => text.includes('}'),
    );
    assert.match(response, /^HTTP\/1\.1 413 /, response.slice(0, 60));
    assert.match(response, /"code":"REQUEST_TOO_LARGE"/);
    assert.equal(upstream.received.length, 0);
    await expectStatus(await t.create(t.reply('alive')), 201);
  }),

  test("[LIMIT-2] sends at least the first 4 KiB of an upstream's error", async (t) => {
    const text = 'e'.repeat(4_096);
    const short = await t.create(t.reply(text, { status: 400, contentType: 'text/plain' }));
    expectBytes(await short.bytes(), text);
    const long = await t.create(t.reply('e'.repeat(10_000_000), { status: 500, contentType: 'text/plain' }));
    assert.equal(long.status, 502);
    const bytes = await long.bytes();
    assert.ok(bytes.length >= 4_096 && bytes.length < 10_000_000, `${bytes.length} bytes`);
  }),

  test("[LIMIT-2] responds even if the body of an upstream's error does not end", async (t) => {
    const upstream = t.upstream(async ({ res, abandoned }) => {
      res.writeHead(500, { 'Content-Type': 'text/plain' });
      let gone = false;
      void abandoned.then(() => (gone = true));
      while (!gone) await new Promise<void>((resolve) => res.write('e'.repeat(65_536), () => resolve()));
    });
    const response = await t.create(upstream);
    assert.equal(response.status, 502);
    assert.ok((await response.bytes()).length >= 4_096);
  }),
]);
