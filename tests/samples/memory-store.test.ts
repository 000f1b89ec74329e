import { expect, it } from 'vitest';
import { IDEMPOTENCY_KEY } from '../../protocol/headers.ts';
import { startProxy } from '../support/proxy.ts';
import { startUpstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';
import { MemoryStore } from './server/memory-store.ts';
import './server/memory-store-suite.ts';

it('[server/memory-store.ts][server/memory-store-suite.ts] a proxy runs on the store, which passes the suite', async () => {
  const upstream = await startUpstream(({ res }) => res.end('from memory'));
  const proxy = await startProxy({ store: new MemoryStore() });
  const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
  const created = await post(proxy, upstream.url, { headers });
  const { bytes } = await readSse(await fetch(withQuery(locationOf(proxy, created), { live: 'sse' })));
  expect(bytes.toString()).toBe('from memory');
  expect((await post(proxy, upstream.url, { headers })).status).toBe(200);
  expect(upstream.calls).toHaveLength(1);
  await proxy.stop();
  await upstream.close();
});
