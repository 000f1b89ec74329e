import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { IDEMPOTENCY_KEY, STREAM_KEY } from '../../protocol/headers.ts';
import { KEY } from '../../protocol/query.ts';
import type { TestTools } from '../test-tools.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectNotFound, expectStatus } from '../expect.ts';
import { serviceToken } from '../tokens.ts';

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

async function twoSubjects(t: TestTools): Promise<[string, string]> {
  return [await serviceToken(t.secret, { sub: 'ada' }), await serviceToken(t.secret, { sub: 'grace' })];
}

export const tokens = section(
  'tokens',
  [
    test('[AUTH-11] accepts a token instead of the secret', async (t) => {
      const token = await serviceToken(t.secret, { sub: 'ada' });
      const stream = await t.start(t.reply('x'), { token });
      await stream.closed();
      await expectStatus(await t.send(stream.id, bearer(token)), 200);
      await expectStatus(await t.send(`${stream.id}?secret=${token}`), 200);
      assert.equal((await t.send(stream.id, { method: 'HEAD', ...bearer(token) })).status, 200);
      await expectStatus(await t.send(stream.id, { method: 'DELETE', ...bearer(token) }), 204);
    }),

    test('[AUTH-12] rejects every invalid token', async (t) => {
      const now = Math.floor(Date.now() / 1_000);
      const good = await serviceToken(t.secret, { sub: 'ada' });
      const [head = '', payload = '', signature = ''] = good.split('.');
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const changed = encode({ sub: 'grace', exp: now + 300 });
      const wrong = {
        'alg none': `${encode({ alg: 'none' })}.${payload}.`,
        'alg none with a signature': `${encode({ alg: 'none' })}.${payload}.${signature}`,
        HS512: await serviceToken(t.secret.padEnd(64, t.secret), { sub: 'ada' }, { algorithm: 'HS512' }),
        expired: await serviceToken(t.secret, { sub: 'ada' }, { expiresInSeconds: -1 }),
        'without exp': await serviceToken(t.secret, { sub: 'ada' }, { expiresInSeconds: null }),
        'without sub': await serviceToken(t.secret, {}),
        'empty sub': await serviceToken(t.secret, { sub: '' }),
        'not yet good': await serviceToken(t.secret, { sub: 'ada', nbf: now + 60 }),
        'another secret': await serviceToken(`${t.secret}-other`, { sub: 'ada' }),
        'another payload': `${head}.${changed}.${signature}`,
        'no signature': `${head}.${payload}.`,
      };
      const upstream = t.reply('never');
      for (const [what, token] of Object.entries(wrong)) {
        const message = await expectError(await t.create(upstream, { token }), 'INVALID_SECRET');
        assert.ok(!message.includes(token), what);
      }
      assert.equal(upstream.received.length, 0);
    }),

    test('[AUTH-17] rejects a JWT of another type with a valid signature', async (t) => {
      const upstream = t.reply('never');
      for (const typ of ['JWT', 'at+jwt', 'password-reset']) {
        const token = await serviceToken(t.secret, { sub: 'ada' }, { typ });
        await expectError(await t.create(upstream, { token }), 'INVALID_SECRET');
      }
      assert.equal(upstream.received.length, 0);
    }),

    test('[AUTH-13] a subject sees its own streams only', async (t) => {
      const [ada, grace] = await twoSubjects(t);
      const stream = await t.start(t.reply('private'), { token: ada });
      await stream.closed();
      await expectStatus(await t.send(stream.id, bearer(ada)), 200);
      await expectError(await t.send(stream.id, bearer(grace)), 'STREAM_NOT_FOUND');
      assert.equal((await t.send(stream.id, { method: 'HEAD', ...bearer(grace) })).status, 404);
      await expectError(await t.send(stream.id, { method: 'DELETE', ...bearer(grace) }), 'STREAM_NOT_FOUND');
      await expectStatus(await t.service(stream.id), 200);
      const signed = await stream.read();
      await expectStatus(signed, 200);
      expectBytes(await signed.bytes(), 'private');
    }),

    test('[AUTH-13] no subject sees a stream of the plain secret', async (t) => {
      const [ada] = await twoSubjects(t);
      const stream = await t.start(t.reply('x'));
      await stream.closed();
      await expectError(await t.send(stream.id, bearer(ada)), 'STREAM_NOT_FOUND');
    }),

    test('[AUTH-14] a token can narrow the allowlist but not extend it', async (t) => {
      const upstream = t.reply('ok');
      const { origin, pathname } = new URL(upstream.url);
      const token = (allow: string[]) => serviceToken(t.secret, { sub: 'ada', allow });
      const create = async (allow: string[]) => t.create(upstream, { token: await token(allow) });
      await expectStatus(await create([`${origin}${pathname}`]), 201);
      await expectError(await create([`${origin}/elsewhere/**`]), 'UPSTREAM_NOT_ALLOWED');
      await expectError(await create([]), 'UPSTREAM_NOT_ALLOWED');
      const wide = await token(['http://not-allowed.invalid/**']);
      await expectError(
        await t.create('http://not-allowed.invalid/x', { token: wide }),
        'UPSTREAM_NOT_ALLOWED',
      );
      assert.equal(upstream.received.length, 1);
    }),

    test(
      '[IDEM-10] keys of different subjects are separate',
      async (t) => {
        const [ada, grace] = await twoSubjects(t);
        const upstream = t.reply('ok');
        const headers = { [IDEMPOTENCY_KEY]: randomUUID() };
        const streams = [];
        for (const token of [ada, grace, t.secret]) streams.push(await t.start(upstream, { headers, token }));
        assert.equal(new Set(streams.map(({ id }) => id)).size, 3);
        const again = await t.create(upstream, { headers, token: ada });
        assert.equal(t.streamOf(again).id, streams[0]?.id);
      },
      { needs: ['idempotency'] },
    ),

    test(
      '[FIND-9] names of different subjects are separate',
      async (t) => {
        const [ada, grace] = await twoSubjects(t);
        const name = randomUUID();
        const stream = await t.start(t.reply('x'), { headers: { [STREAM_KEY]: name }, token: ada });
        const url = new URL(`${t.base}?${KEY}=${name}`);
        const found = await t.send(url, bearer(ada));
        await expectStatus(found, 200);
        assert.equal(t.streamOf(found).id, stream.id);
        await expectNotFound(await t.send(url, bearer(grace)));
        await expectNotFound(await t.service(url));
      },
      { needs: ['find'] },
    ),
  ],
  ['tokens'],
);
