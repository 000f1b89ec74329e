import { afterEach, describe, expect, it, vi } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_KEY, UPSTREAM_STATUS } from '../../protocol/headers.ts';
import { embeddedStore, StoreError, type ProxyServerOptions, type StreamStore } from '../../server/index.ts';
import { SECRET, startProxy, temporaryFolder, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Operation = 'annotate' | 'create' | 'append' | 'close' | 'read' | 'follow' | 'head' | 'delete';

const ANSWERS = /^[0-9a-f]{8}-/;
const NAMES = /^key-/;

/** Wraps a store whose operations on some logs can be made to fail. */
function troubled(store: StreamStore, logs: RegExp) {
  const failing = new Set<Operation>();
  const guarded = new Proxy(store, {
    get(target, name: keyof StreamStore) {
      // Without it, names and claims are logs of this store and fail too.
      if (name === 'coordinate') return undefined;
      const method = (target[name] as (...args: unknown[]) => unknown).bind(target);
      return (...args: unknown[]) =>
        failing.has(name as Operation) && logs.test(String(args[0]))
          ? Promise.reject(new StoreError('UNAVAILABLE', 'the disk is on fire'))
          : method(...args);
    },
  });
  return { store: guarded, failing };
}

async function begin(
  handler: (call: UpstreamCall) => void,
  { logs = ANSWERS, ...options }: Partial<ProxyServerOptions> & { logs?: RegExp } = {},
): Promise<{
  proxy: TestProxy;
  upstream: Upstream;
  url: string;
  failing: Set<Operation>;
}> {
  const folder = await temporaryFolder();
  const real = embeddedStore({ dataDir: folder.path });
  const { store, failing } = troubled(real, logs);
  const upstream = await startUpstream(handler);
  const proxy = await startProxy({ ...options, store });
  cleanups.push(
    () => folder.remove(),
    () => real.dispose(),
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
    () => Promise.resolve(failing.clear()),
  );
  return { proxy, upstream, url: `${upstream.url}/x`, failing };
}

const authorization = `Bearer ${SECRET}`;

describe('when the store fails', () => {
  it('responds 502 to a create, cancels the upstream request and releases the key', async () => {
    const { proxy, upstream, url, failing } = await begin(({ res }) => void write(res, 'paid for'));
    failing.add('create');
    const headers = { [IDEMPOTENCY_KEY]: 'k', [STREAM_KEY]: 'chat' };
    const refused = await post(proxy, url, { headers });
    expect(refused.status).toBe(502);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await codeOf(refused)).toBe('STORAGE_ERROR');
    await (
      await upstream.call(0)
    ).closed;
    failing.clear();
    expect((await fetch(withQuery(proxy.base, { key: 'chat' }), { headers: { authorization } })).status).toBe(
      204,
    );
    expect((await post(proxy, url, { headers })).status).toBe(201);
  });

  it('[ASYNC-4] a pending stream survives a failure at the moment when its upstream responds', async () => {
    const { proxy, upstream, url, failing } = await begin(() => undefined);
    const created = await post(proxy, url, { headers: { prefer: 'respond-async' } });
    const location = locationOf(proxy, created);
    const { res } = await upstream.call(0);
    const asked = vi.spyOn(failing, 'has');
    failing.add('annotate');
    res.end('paid for');
    await expect.poll(() => asked.mock.results.some(({ value }) => value === true)).toBe(true);
    failing.clear();
    const { bytes, controls } = await readSse(await fetch(withQuery(location, { live: 'sse' })));
    expect(bytes.toString()).toBe('paid for');
    expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
    expect((await fetch(location)).headers.get(UPSTREAM_STATUS)).toBe('200');
  });

  it.each(['create', 'append'] as const)(
    'does not call the upstream if the name cannot be stored (%s)',
    async (operation) => {
      // The store fails before the hook is done.
      const hook = vi.fn(() => new Promise<void>((resolve) => setImmediate(resolve)));
      const { proxy, upstream, url, failing } = await begin(({ res }) => res.end('paid for'), {
        logs: NAMES,
        prepareUpstream: hook,
      });
      failing.add(operation);
      const headers = { [IDEMPOTENCY_KEY]: 'k', [STREAM_KEY]: 'chat' };
      expect(await codeOf(await post(proxy, url, { headers }))).toBe('STORAGE_ERROR');
      expect(hook).toHaveBeenCalledOnce();
      expect(upstream.calls).toHaveLength(0);
      failing.clear();
      expect((await post(proxy, url, { headers })).status).toBe(201);
      expect(upstream.calls).toHaveLength(1);
    },
  );

  it('cancels the upstream request, keeps the stored bytes and closes the stream as interrupted during a response', async () => {
    const { proxy, upstream, url, failing } = await begin(({ res }) => void write(res, 'safe'));
    const location = locationOf(proxy, await post(proxy, url));
    const live = await fetch(withQuery(location, { live: 'sse' }));
    const reading = readSse(live);
    await readSse(await fetch(withQuery(location, { live: 'sse' })), ({ bytes }) => bytes.length === 4);
    failing.add('append').add('close');
    const { res, closed } = await upstream.call(0);
    await write(res, ' and lost');
    await closed;
    // The stream is closed as soon as the store accepts it.
    failing.clear();
    const { bytes, controls } = await reading;
    expect(bytes.toString()).toBe('safe');
    expect(controls.at(-1)).toMatchObject({
      streamClosed: true,
      upstreamOutcome: 'interrupted',
      upstreamError: { code: 'STORAGE_ERROR' },
    });
  });

  it('responds with an error to HEAD, reads and DELETE', async () => {
    const { proxy, url, failing } = await begin(({ res }) => res.end('x'));
    const location = locationOf(proxy, await post(proxy, url));
    await readSse(await fetch(withQuery(location, { live: 'sse' })));
    const path = location.split('?')[0]!;
    failing.add('head');
    expect((await fetch(path, { method: 'HEAD', headers: { authorization } })).status).toBe(502);
    failing.clear();
    failing.add('delete');
    expect((await fetch(path, { method: 'DELETE', headers: { authorization } })).status).toBe(502);
    failing.clear();
    failing.add('read').add('follow');
    expect((await fetch(location)).status).toBe(502);
    expect((await fetch(withQuery(location, { live: 'sse' }))).status).toBe(502);
    failing.clear();
    expect(await (await fetch(location)).text()).toBe('x');
  });
});

it('releases the sockets of redirects and errors', async () => {
  const { proxy, upstream, url } = await begin(({ req, res }) => {
    const status = Number(req.url!.slice('/x'.length));
    res.writeHead(status, { location: '/elsewhere' });
    res.write('a body that continues');
    if (status === 500) res.end();
  });
  expect(await codeOf(await post(proxy, `${url}302`))).toBe('REDIRECT_NOT_ALLOWED');
  expect((await post(proxy, `${url}500`)).status).toBe(502);
  await (
    await upstream.call(0)
  ).closed;
  await (
    await upstream.call(1)
  ).closed;
});
