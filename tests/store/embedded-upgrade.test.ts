import { afterEach, beforeEach, expect, it } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_KEY } from '../../protocol/headers.ts';
import { createProxyServer, embeddedStore } from '../../server/index.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import * as released from '../releases/0.1.mjs';
import { SECRET, temporaryFolder } from '../support/proxy.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let upstream: Upstream;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  await upstream.close();
  await folder.remove();
});

/** Runs a proxy of a version on the data directory. `use` may return while requests are still running. */
async function run<T>(
  version: '0.1' | 'this version',
  use: (proxy: { url: string; base: string }) => Promise<T>,
): Promise<T> {
  const isOld = version === '0.1';
  const store = (isOld ? released.embeddedStore : embeddedStore)({ dataDir: folder.path });
  const allowlist = ['http://127.0.0.1:*/**'];
  const options = { port: 0, host: '127.0.0.1', jwtSecret: SECRET, allowlist, store, logger: silentLogger };
  const server = await (isOld ? released.createProxyServer(options) : createProxyServer(options));
  try {
    return await use({ url: server.url, base: `${server.url}/v1/proxy` });
  } finally {
    // The store first, as in a crash: nothing is released or closed.
    await store.dispose();
    await server.stop({ drainMs: 0 }).catch(() => undefined);
  }
}

const idOf = (response: Response): string =>
  response.headers.get('location')!.split('?')[0]!.split('/').at(-1)!;

it('opens a directory of version 0.1: keys replay, names are found, and keys of dead creates are free', async () => {
  upstream = await startUpstream(({ req, res }) => {
    if (req.url !== '/silent') res.end('an answer');
  });
  const [done, held, name] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
  const create = (proxy: { base: string }, key: string, path: string) =>
    post(proxy, `${upstream.url}${path}`, {
      headers: { [IDEMPOTENCY_KEY]: key, [STREAM_KEY]: name },
      body: 'same',
    });
  const old = await run('0.1', async (proxy) => {
    const created = await create(proxy, done, '/answer');
    await readSse(await fetch(withQuery(locationOf(proxy, created), { live: 'sse' })));
    void create(proxy, held, '/silent').catch(() => undefined);
    await upstream.call(1);
    return idOf(created);
  });
  for (let restart = 0; restart < 2; restart += 1) {
    await run('this version', async (proxy) => {
      const replayed = await create(proxy, done, '/answer');
      expect([replayed.status, idOf(replayed)]).toEqual([200, old]);
      const found = await fetch(withQuery(proxy.base, { key: name }), {
        headers: { authorization: `Bearer ${SECRET}` },
      });
      expect(idOf(found)).toBe(old);
      expect(upstream.calls).toHaveLength(2);
    });
  }
  await run('this version', async (proxy) => {
    const taking = create(proxy, held, '/silent');
    const { res } = await upstream.call(2);
    res.end('late');
    expect((await taking).status).toBe(201);
  });
});

it('opens a directory with 100,000 claims and names in less than a second, without reading them', async () => {
  upstream = await startUpstream(() => undefined);
  const open = async () => {
    const store = embeddedStore({ dataDir: folder.path, durability: 'process' });
    const coordinator = store.coordinate!({ logger: silentLogger, ttlSeconds: 3_600 });
    const startedAt = performance.now();
    await store.open();
    return { store, coordinator, ms: performance.now() - startedAt };
  };
  const first = await open();
  const claim = { process: 'p', fingerprint: 'f', state: 'open', abortedAt: 0 } as const;
  for (let i = 0; i < 50_000; i += 500) {
    await Promise.all(
      Array.from({ length: 500 }, async (_, j) => {
        const id = String(i + j);
        await first.coordinator.claims.take(`claim-${id}`, { ...claim, token: id });
        await first.coordinator.names.set(`key-${id}`, { streamId: id, process: 'p', state: 'accepted' });
      }),
    );
  }
  await first.store.dispose();
  const heap = process.memoryUsage().heapUsed;
  const { store, coordinator, ms } = await open();
  expect(process.memoryUsage().heapUsed - heap).toBeLessThan(10_000_000);
  expect(ms).toBeLessThan(1_000);
  expect((await coordinator.claims.take('claim-49999', { ...claim, token: 'other' })).token).toBe('49999');
  expect((await coordinator.names.get('key-49999'))?.streamId).toBe('49999');
  await store.dispose();
}, 120_000);
