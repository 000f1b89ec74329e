import assert from 'node:assert/strict';
import { ACTION, ACTION_ABORT, SCOPE, SCOPE_READ } from '../../protocol/query.ts';
import { section, test } from '../define.ts';
import { expectBytes, expectError, expectStatus } from '../expect.ts';

export const scope = section(
  'scope',
  [
    test('[SCOPE-1] a read-only URL reads in every mode and does not abort', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      const url = await t.signed(stream, { expiresInSeconds: 60, scope: SCOPE_READ });
      assert.equal(url.searchParams.get(SCOPE), SCOPE_READ);
      await feed.send('shared');
      await stream.until(6);
      const response = await t.send(url);
      await expectStatus(response, 200);
      expectBytes(await response.bytes(), 'shared');
      const patch = new URL(url);
      patch.searchParams.set(ACTION, ACTION_ABORT);
      await expectError(await t.send(patch, { method: 'PATCH' }), 'SIGNATURE_INVALID');
      await feed.send(' on');
      await stream.until(9);
    }),

    test('[SCOPE-2] rejects a scope that was removed, added or changed', async (t) => {
      const stream = await t.start(t.reply('x'));
      await stream.closed();
      await expectError(await stream.read({ [SCOPE]: SCOPE_READ }), 'SIGNATURE_INVALID');
      await expectError(await stream.read({ [SCOPE]: '' }), 'SIGNATURE_INVALID');
      await expectError(await stream.read({ [SCOPE]: 'write' }), 'SIGNATURE_INVALID');
    }),

    test('[SCOPE-2] rejects a URL without its scope', async (t) => {
      const stream = await t.start(t.reply('x'));
      await stream.closed();
      const url = await t.signed(stream, { expiresInSeconds: 60, scope: SCOPE_READ });
      url.searchParams.delete(SCOPE);
      await expectError(await t.send(url), 'SIGNATURE_INVALID');
      url.searchParams.set(ACTION, ACTION_ABORT);
      await expectError(await t.send(url, { method: 'PATCH' }), 'SIGNATURE_INVALID');
    }),

    test('[SCOPE-3] a URL of the operator without a scope reads and aborts', async (t) => {
      const feed = t.feed();
      const stream = await t.start(feed);
      const url = await t.signed(stream, { expiresInSeconds: 60 });
      await expectStatus(await t.send(url), 200);
      url.searchParams.set(ACTION, ACTION_ABORT);
      await expectStatus(await t.send(url, { method: 'PATCH' }), 204);
      await feed.abandoned;
    }),
  ],
  ['scope'],
);
