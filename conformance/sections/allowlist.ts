import assert from 'node:assert/strict';
import { section, test } from '../define.ts';
import { expectError, expectStatus } from '../expect.ts';

export const allowlist = section('allowlist', [
  test('[URL-1] rejects anything except absolute http and https URLs', async (t) => {
    const { host, pathname } = new URL(t.reply('never').url);
    const wrong = [
      'nothing',
      pathname,
      `//${host}${pathname}`,
      `${host}${pathname}`,
      `ftp://${host}${pathname}`,
      `file:///etc/passwd`,
      `ws://${host}${pathname}`,
      'data:text/plain,x',
      'http://',
      'http:///path',
      `http:${host}`,
      `http:\\\\${host}${pathname}`,
    ];
    for (const url of wrong) await expectError(await t.create(url), 'UPSTREAM_NOT_ALLOWED');
  }),

  test('[URL-2] rejects a host that no pattern covers, whatever else the URL contains', async (t) => {
    const upstream = t.reply('never');
    const { port, host, pathname, hostname } = new URL(upstream.url);
    const wrong = [
      'http://not-allowed.invalid/',
      `http://not-allowed.invalid:${port}${pathname}`,
      `http://${hostname}.not-allowed.invalid:${port}${pathname}`,
      `http://not-allowed.invalid/?url=http://${host}${pathname}`,
      `http://not-allowed.invalid/#http://${host}${pathname}`,
      `http://not-allowed.invalid/http://${host}${pathname}`,
      `http://not-allowed.invalid\\@${host}${pathname}`,
      `http://not-allowed.invalid#@${host}${pathname}`,
    ];
    for (const url of wrong) await expectError(await t.create(url), 'UPSTREAM_NOT_ALLOWED');
    assert.equal(upstream.received.length, 0);
  }),

  test('[URL-3] rejects user info', async (t) => {
    const upstream = t.reply('never');
    const { host, pathname } = new URL(upstream.url);
    for (const info of ['user@', 'user:password@', ':@', '@', 'not-allowed.invalid@']) {
      await expectError(await t.create(`http://${info}${host}${pathname}`), 'UPSTREAM_NOT_ALLOWED');
    }
    assert.equal(upstream.received.length, 0);
  }),

  test('[URL-4] ignores query and fragment, and does not send the fragment', async (t) => {
    const upstream = t.reply('ok');
    const stream = await t.start(`${upstream.url}?redirect=https://elsewhere.invalid/#part`);
    await stream.closed();
    const { target } = await upstream.request();
    assert.ok(target.endsWith('?redirect=https://elsewhere.invalid/'), target);
  }),

  test('[URL-5] the error does not contain the allowlist', async (t) => {
    const response = await t.create('http://not-allowed.invalid/');
    const message = await expectError(response, 'UPSTREAM_NOT_ALLOWED');
    assert.ok(!message.includes(new URL(t.reply('x').url).hostname), message);
    await expectStatus(await t.create(t.reply('ok')), 201);
  }),
]);
