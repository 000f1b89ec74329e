import assert from 'node:assert/strict';
import { UPSTREAM_AUTHORIZATION, UPSTREAM_METHOD, UPSTREAM_URL } from '../../protocol/headers.ts';
import { EXPIRES, SECRET, SIGNATURE } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectError, expectStatus } from '../expect.ts';
import type { TestResponse } from '../http-client.ts';

/** Sends the operations that require service credentials, with the given ones. */
function serviceOperations(
  t: TestTools,
  id: string,
  upstream: string,
): ((query: string, headers: Record<string, string>) => Promise<TestResponse>)[] {
  const create = { [UPSTREAM_URL]: upstream, [UPSTREAM_METHOD]: 'GET' };
  return [
    (query, headers) =>
      t.send(new URL(t.base + query), { method: 'POST', headers: { ...create, ...headers } }),
    (query, headers) => t.send(`${id}${query}`, { headers }),
    (query, headers) => t.send(`${id}${query}`, { method: 'DELETE', headers }),
  ];
}

export const auth = section('auth', [
  test('[AUTH-1] accepts the secret in the query and as a bearer token', async (t) => {
    const upstream = t.reply('ok');
    const stream = await t.start(upstream);
    await stream.closed();
    for (const [query, headers] of [
      [`?${SECRET}=${encodeURIComponent(t.secret)}`, {}],
      ['', { Authorization: `Bearer ${t.secret}` }],
      ['', { Authorization: `bearer ${t.secret}` }],
    ] as const) {
      await expectStatus(await t.send(`${stream.id}${query}`, { headers }), 200);
      assert.equal((await t.send(`${stream.id}${query}`, { method: 'HEAD', headers })).status, 200);
      const response = await t.send(new URL(t.base + query), {
        method: 'POST',
        headers: { [UPSTREAM_URL]: upstream.url, [UPSTREAM_METHOD]: 'GET', ...headers },
      });
      await expectStatus(response, 201);
      await expectStatus(
        await t.send(`${t.streamOf(response).id}${query}`, { method: 'DELETE', headers }),
        204,
      );
    }
  }),

  test('[AUTH-15] checks credentials before the form of the id', async (t) => {
    for (const id of ['some-stream-id', '..%2F..%2Fetc', 'a%00b']) {
      await expectError(await t.send(id), 'MISSING_SECRET');
      assert.equal((await t.send(id, { method: 'HEAD' })).status, 401);
      await expectError(await t.send(id, { method: 'DELETE' }), 'MISSING_SECRET');
      await expectError(await t.send(`${id}?action=abort`, { method: 'PATCH' }), 'MISSING_SIGNATURE');
      await expectError(await t.send(`${id}?${EXPIRES}=9999999999&${SIGNATURE}=wrong`), 'SIGNATURE_INVALID');
    }
  }),

  test('[AUTH-2] rejects missing and wrong credentials', async (t) => {
    const upstream = t.reply('never');
    const stream = await t.start(t.reply('kept'));
    await stream.closed();
    for (const operation of serviceOperations(t, stream.id, upstream.url)) {
      await expectError(await operation('', {}), 'MISSING_SECRET');
      for (const wrong of ['wrong', `${t.secret}x`, t.secret.slice(0, -1), t.secret.toUpperCase(), 'ü']) {
        await expectError(await operation(`?${SECRET}=${encodeURIComponent(wrong)}`, {}), 'INVALID_SECRET');
      }
      await expectError(await operation('', { Authorization: 'Bearer wrong' }), 'INVALID_SECRET');
    }
    assert.equal((await t.send(stream.id, { method: 'HEAD' })).status, 401);
    assert.equal(upstream.received.length, 0);
    await expectStatus(await stream.read(), 200);
  }),

  test('[AUTH-3] a stream is read by its signed URL, and by service credentials', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    await expectStatus(await t.send(stream.url), 200);
    await expectStatus(await t.service(stream.id), 200);
    await expectError(await t.send(stream.id), 'MISSING_SECRET');
  }),

  test('[AUTH-4] a signed URL grants access to its stream only', async (t) => {
    const mine = await t.start(t.reply('mine'));
    const other = await t.start(t.reply('other'));
    await other.closed();
    await expectError(await t.send(`${other.id}${mine.url.search}`), 'SIGNATURE_INVALID');
  }),

  test('[AUTH-5] rejects a signed URL with any change', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    const expires = Number(stream.url.searchParams.get(EXPIRES));
    const signature = stream.url.searchParams.get(SIGNATURE) ?? '';
    const other = signature.startsWith('A') ? 'B' : 'A';
    const changed: Record<string, string>[] = [
      { [EXPIRES]: String(expires + 1) },
      { [EXPIRES]: `0${expires}` },
      { [EXPIRES]: `${expires}.0` },
      { [EXPIRES]: 'never' },
      { [EXPIRES]: '' },
      { [SIGNATURE]: other + signature.slice(1) },
      { [SIGNATURE]: signature.slice(0, -1) },
      { [SIGNATURE]: `${signature}A` },
      { [SIGNATURE]: '' },
    ];
    for (const params of changed) await expectError(await stream.read(params), 'SIGNATURE_INVALID');
    for (const name of [EXPIRES, SIGNATURE]) {
      const url = new URL(stream.url);
      url.searchParams.delete(name);
      await expectError(await t.send(url), 'SIGNATURE_INVALID');
    }
  }),

  test('[AUTH-6] reports that a signed URL has expired', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    await expectError(await stream.read({ [EXPIRES]: '1600000000' }), 'SIGNATURE_EXPIRED');
    const patch = stream.at({ [EXPIRES]: '1600000000', action: 'abort' });
    await expectError(await t.send(patch, { method: 'PATCH' }), 'SIGNATURE_EXPIRED');
  }),

  test('[AUTH-7] decides by the signature if there is one', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    const url = stream.at({ [SIGNATURE]: 'wrong' });
    await expectError(await t.service(url), 'SIGNATURE_INVALID');
    url.searchParams.set(SECRET, t.secret);
    await expectError(await t.send(url), 'SIGNATURE_INVALID');
  }),

  test('[AUTH-8] rejects repeated and contradictory credentials', async (t) => {
    const stream = await t.start(t.reply('x'));
    await stream.closed();
    const url = new URL(stream.url);
    url.searchParams.append(SIGNATURE, 'second');
    await expectError(await t.send(url), 'SIGNATURE_INVALID');
    const secret = encodeURIComponent(t.secret);
    await expectError(await t.send(`${stream.id}?${SECRET}=${secret}&${SECRET}=wrong`), 'INVALID_SECRET');
    await expectError(
      await t.send(`${stream.id}?${SECRET}=${secret}`, { headers: { Authorization: 'Bearer wrong' } }),
      'INVALID_SECRET',
    );
  }),

  test('[AUTH-9] errors contain no credential', async (t) => {
    const stream = await t.start(t.reply('x'));
    const signature = stream.url.searchParams.get(SIGNATURE) ?? '';
    const responses = [
      await stream.read({ [EXPIRES]: '1' }),
      await t.create('http://not-allowed.invalid/', {
        headers: { [UPSTREAM_AUTHORIZATION]: 'Bearer sk-42-secret' },
      }),
      await t.create('no url', { token: `${t.secret}-almost` }),
    ];
    for (const response of responses) {
      const text = JSON.stringify(response.headers) + (await response.text());
      for (const credential of [t.secret, signature, 'sk-42-secret'])
        assert.ok(!text.includes(credential), text);
    }
  }),

  test('[AUTH-10] a 401 has WWW-Authenticate', async (t) => {
    const stream = await t.start(t.reply('x'));
    for (const response of [await t.send(stream.id), await t.send('', { method: 'POST' })]) {
      assert.equal(response.status, 401);
      assert.match(response.header('www-authenticate') ?? '', /^Bearer\b/);
    }
  }),
]);
