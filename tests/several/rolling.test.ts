import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_KEY } from '../../protocol/headers.ts';
import { createProxyServer, type ProxyServer, type StreamStore } from '../../server/index.ts';
import { redisStore } from '../../server/store/redis/index.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import * as released from '../releases/0.1.mjs';
import { needs } from '../requirements.ts';
import { startCluster } from '../store/redis/cluster.ts';
import { startRedis } from '../store/redis/servers.ts';
import { SECRET } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

interface Proxy extends ProxyServer {
  readonly base: string;
  readonly store: StreamStore;
}

type Version = '0.1' | 'this version';

/** Starts a proxy of a version. Its store has connections of its own. */
async function start(version: Version, url: string): Promise<Proxy> {
  const isOld = version === '0.1';
  const store = isOld ? released.redisStore({ url }) : redisStore({ url });
  const options = { port: 0, host: '127.0.0.1', jwtSecret: SECRET, allowlist: ['http://127.0.0.1:*/**'] };
  const server = await (isOld
    ? released.createProxyServer({ ...options, store, logger: silentLogger })
    : createProxyServer({ ...options, store, logger: silentLogger }));
  return { ...server, store, base: `${server.url}/v1/proxy` };
}

async function stop(proxy: Proxy): Promise<void> {
  await proxy.stop({ drainMs: 0 });
  await proxy.store.dispose();
}

/** Tests that requests under one key, name or stream may reach either version, in any order. */
function describeRolling(startBackend: () => Promise<{ url: string; stop(): Promise<void> }>): void {
  let backend: Awaited<ReturnType<typeof startBackend>>;
  let upstream: Upstream;
  beforeAll(async () => void (backend = await startBackend()), 60_000);
  afterAll(() => backend.stop());
  afterEach(() => upstream.close());

  const serve = async (handler: (call: UpstreamCall) => void): Promise<string> => {
    upstream = await startUpstream(handler);
    return `${upstream.url}/answer`;
  };
  const idOf = (response: Response): string =>
    response.headers.get('location')!.split('?')[0]!.split('/').at(-1)!;
  const via = (proxy: Proxy, url: string): string => url.replace(/^http:\/\/[^/]+/, proxy.url);
  const find = (proxy: Proxy, name: string): Promise<Response> =>
    fetch(withQuery(proxy.base, { key: name }), { headers: { authorization: `Bearer ${SECRET}` } });

  describe.each([
    { first: '0.1', second: 'this version' },
    { first: 'this version', second: '0.1' },
  ] as const)('$first, then $second', ({ first, second }) => {
    let a: Proxy;
    let b: Proxy;
    beforeAll(async () => {
      [a, b] = await Promise.all([start(first, backend.url), start(second, backend.url)]);
    });
    afterAll(() => Promise.all([stop(a), stop(b)]));

    it('makes one upstream call for creates that wait for it at both', async () => {
      const url = await serve(() => undefined);
      const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      const created = post(a, url, { headers, body: 'same' });
      const { res } = await upstream.call(0);
      const waiting = post(b, url, { headers, body: 'same' });
      // The other version has looked at the claim and waits.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(upstream.calls).toHaveLength(1);
      res.end('once');
      expect([(await created).status, (await waiting).status]).toEqual([201, 200]);
      expect(idOf(await waiting)).toBe(idOf(await created));
      expect(upstream.calls).toHaveLength(1);
    });

    it('makes one upstream call for 40 creates under one key at both', async () => {
      const url = await serve(({ res }) => res.end('once'));
      const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      const responses = await Promise.all(
        Array.from({ length: 40 }, (_, i) => post(i % 2 ? a : b, url, { headers, body: 'same' })),
      );
      expect(responses.map(({ status }) => status).filter((status) => status !== 200)).toEqual([201]);
      expect(new Set(responses.map(idOf)).size).toBe(1);
      expect(upstream.calls).toHaveLength(1);
    });

    it('replays a stream of the other version, and refuses another request under its key', async () => {
      const url = await serve(({ res }) => res.end('once'));
      const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      const created = await post(a, url, { headers, body: 'same' });
      await readSse(await fetch(via(a, withQuery(locationOf(a, created), { live: 'sse' }))));
      const replayed = await post(b, url, { headers, body: 'same' });
      expect([replayed.status, idOf(replayed)]).toEqual([200, idOf(created)]);
      const refused = await post(b, url, { headers, body: 'another' });
      expect([refused.status, await codeOf(refused)]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
      expect(upstream.calls).toHaveLength(1);
    });

    it('lets the other version take a key whose create failed', async () => {
      const url = await serve(({ res }) => {
        res.statusCode = upstream.calls.length === 1 ? 503 : 200;
        res.end('done');
      });
      const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      expect((await post(a, url, { headers, body: 'same' })).status).toBe(502);
      expect((await post(b, url, { headers, body: 'same' })).status).toBe(201);
      expect((await post(a, url, { headers, body: 'same' })).status).toBe(200);
      expect(upstream.calls).toHaveLength(2);
    });

    it('lets the other version take a key whose stream was deleted', async () => {
      const url = await serve(({ res }) => res.end('done'));
      const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      const created = await post(a, url, { headers, body: 'same' });
      await readSse(await fetch(withQuery(locationOf(a, created), { live: 'sse' })));
      const removed = await fetch(via(a, `${a.base}/${idOf(created)}`), {
        method: 'DELETE',
        headers: { authorization: `Bearer ${SECRET}` },
      });
      expect(removed.status).toBe(204);
      expect((await post(b, url, { headers, body: 'same' })).status).toBe(201);
      expect((await post(a, url, { headers, body: 'same' })).status).toBe(200);
      expect(upstream.calls).toHaveLength(2);
    });

    it('stops a stream of the other version at its process', async () => {
      const url = await serve(({ res }) => void write(res, 'and then silence'));
      const location = locationOf(a, await post(a, url));
      const { closed } = await upstream.call(0);
      const stopped = await fetch(via(b, withQuery(location, { action: 'abort' })), { method: 'PATCH' });
      expect(stopped.status).toBe(204);
      await closed;
    });

    it('leaves streams of the other version open for longer than a lease, while its process lives', async () => {
      const url = await serve(({ res }) => void write(res, 'slow'));
      const location = locationOf(a, await post(a, url));
      const reading = readSse(await fetch(via(b, withQuery(location, { live: 'sse' }))));
      const { res } = await upstream.call(0);
      await new Promise((resolve) => setTimeout(resolve, 8_000));
      res.end(', but alive');
      const { bytes, controls } = await reading;
      expect(bytes.toString()).toBe('slow, but alive');
      expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
    });

    it('finds creates of the other version under a Stream-Key, before and after they are answered', async () => {
      const url = await serve(() => undefined);
      const name = crypto.randomUUID();
      const headers = { [STREAM_KEY]: name };
      for (const [i, [writer, reader]] of [[a, b] as const, [b, a] as const, [a, b] as const].entries()) {
        const creating = post(writer, url, { headers });
        const { res } = await upstream.call(i);
        const finding = find(reader, name);
        await new Promise((resolve) => setTimeout(resolve, 100));
        res.end('found');
        const created = await creating;
        expect(idOf(await finding)).toBe(idOf(created));
        expect(idOf(await find(reader, name))).toBe(idOf(created));
        expect(idOf(await find(writer, name))).toBe(idOf(created));
      }
    });

    it('finds the newest of 40 creates of both versions under a Stream-Key', async () => {
      const url = await serve(({ res }) => res.end('found'));
      const name = crypto.randomUUID();
      for (let i = 0; i < 40; i += 1) {
        const [writer, reader] = i % 2 ? [a, b] : [b, a];
        const created = await post(writer, url, { headers: { [STREAM_KEY]: name } });
        expect(created.status).toBe(201);
        if (i % 20 === 19) expect(idOf(await find(reader, name))).toBe(idOf(created));
      }
    }, 60_000);

    it('closes the streams of a process of the other version that died, and takes over its keys', async () => {
      const url = await serve(({ res }) => void write(res, 'cut'));
      const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      const silent = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      const dying = await start(first, backend.url);
      const location = locationOf(dying, await post(dying, url, { headers, body: 'same' }));
      const reading = readSse(await fetch(via(b, withQuery(location, { live: 'sse' }))));
      const lost = post(dying, `${url}-2`, { headers: silent, body: 'same' }).catch(() => undefined);
      await upstream.call(1);
      // Without its store, the process renews its lease no more.
      await dying.store.dispose();
      const { controls } = await reading;
      expect(controls.at(-1)?.upstreamOutcome).toBe('interrupted');
      expect((await post(b, `${url}-2`, { headers: silent, body: 'same' })).status).toBe(201);
      expect(upstream.calls).toHaveLength(3);
      await dying.stop({ drainMs: 0 }).catch(() => undefined);
      await lost;
    });
  });
}

needs('redis-server')('a rolling deploy on one Redis', () => {
  describe('with one server', () => describeRolling(() => startRedis()));
  describe('with a cluster of three', () => describeRolling(() => startCluster({})));
});
