import { afterEach, expect, it, onTestFinished } from 'vitest';
import { IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, STREAM_KEY } from '../../protocol/headers.ts';
import { createServiceToken, embeddedStore, type ProxyServerOptions } from '../../server/index.ts';
import { SECRET, startProxy, temporaryFolder, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';
import { withResolvers } from '../support/with-resolvers.ts';

let proxy: TestProxy;
let upstream: Upstream;

afterEach(async () => {
  await upstream.close();
  await proxy.stop({ drainMs: 0 });
});

async function begin(
  handler: (call: UpstreamCall) => void,
  options: Partial<ProxyServerOptions> = {},
): Promise<string> {
  proxy = await startProxy(options);
  upstream = await startUpstream(handler);
  return `${upstream.url}/answer`;
}

const abort = (headers: Record<string, string>, query = '?action=abort', token = SECRET) =>
  fetch(proxy.base + query, { method: 'PATCH', headers: { authorization: `Bearer ${token}`, ...headers } });

const key = { [IDEMPOTENCY_KEY]: 'a key' };
const name = { [STREAM_KEY]: 'a name' };

it.each([
  [IDEMPOTENCY_KEY, key],
  [STREAM_KEY, name],
])(
  '[ABORT-9][ABORT-12] an abort by %s cancels the upstream request and responds 409 to the pending create',
  async (_title, headers) => {
    const url = await begin(() => undefined);
    const creating = post(proxy, url, { headers });
    const call = await upstream.call(0);
    expect((await abort(headers)).status).toBe(204);
    await call.closed;
    const created = await creating;
    expect(created.status).toBe(409);
    expect(await codeOf(created)).toBe('REQUEST_ABORTED');
  },
);

it('[ABORT-9][ABORT-10] closes a running stream as aborted, and is idempotent', async () => {
  const url = await begin(({ res }) => void write(res, 'half'));
  const created = await post(proxy, url, { headers: { ...key, ...name } });
  expect((await abort({ ...key, ...name })).status).toBe(204);
  expect((await abort(key)).status).toBe(204);
  const { controls } = await readSse(await fetch(withQuery(locationOf(proxy, created), { live: 'sse' })));
  expect(controls.at(-1)?.upstreamOutcome).toBe('aborted');
  const again = await post(proxy, url, { headers: key });
  expect(again.headers.get(IDEMPOTENCY_REPLAYED)).toBe('true');
  expect(upstream.calls).toHaveLength(1);
});

it('[ABORT-11] rejects a create that arrives after the abort of its key, without an upstream call', async () => {
  const url = await begin(({ res }) => res.end('paid'));
  expect((await abort(key)).status).toBe(204);
  expect(await codeOf(await post(proxy, url, { headers: key }))).toBe('REQUEST_ABORTED');
  expect(upstream.calls).toHaveLength(0);
});

it.each(['respond-async', undefined])(
  '[ABORT-9] an abort that arrives while the store creates the stream ends the create (Prefer: %s)',
  async (prefer) => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const store = embeddedStore({ dataDir: folder.path });
    const create = store.create.bind(store);
    const created = withResolvers();
    const released = withResolvers();
    // The stream exists, but the proxy does not know it yet.
    store.create = async (...args) => {
      const isNew = await create(...args);
      created.resolve();
      await released.promise;
      return isNew;
    };
    const url = await begin(({ res }) => void write(res, 'paid'), { store });
    const creating = post(proxy, url, { headers: { ...key, ...(prefer && { prefer }) } });
    await created.promise;
    expect((await abort(key)).status).toBe(204);
    released.resolve();
    expect(await codeOf(await creating)).toBe('REQUEST_ABORTED');
    await Promise.all(upstream.calls.map(({ closed }) => closed));
    // It is called before the stream is created, if the caller waits for its response.
    expect(upstream.calls).toHaveLength(prefer ? 0 : 1);
  },
);

it('[ABORT-13] rejects an abort without a key or action, and does not affect other subjects', async () => {
  const url = await begin(({ res }) => res.end('mine'));
  expect(await codeOf(await abort({}))).toBe('INVALID_REQUEST');
  expect(await codeOf(await abort(key, '?action=pause'))).toBe('INVALID_ACTION');
  const token = await createServiceToken({ jwtSecret: SECRET, subject: 'ann', expiresInSeconds: 60 });
  expect((await abort(key, '?action=abort', token)).status).toBe(204);
  expect((await post(proxy, url, { headers: key })).status).toBe(201);
});

it('[IDEM-11] a retry attaches to the upstream request that outlived its 504', async () => {
  const url = await begin(() => undefined, { upstreamHeadersTimeoutMs: 1_000 });
  const late = await post(proxy, url, { headers: key });
  expect(late.status).toBe(504);
  expect(late.headers.get('retry-after')).toBe('1');
  const retry = post(proxy, url, { headers: key });
  upstream.calls[0]!.res.end('in the end');
  expect((await retry).status).toBe(200);
  expect(upstream.calls).toHaveLength(1);
});

it('[IDEM-11] cancels the upstream request without a retry, and releases the key', async () => {
  const url = await begin(() => undefined, { upstreamHeadersTimeoutMs: 100 });
  expect((await post(proxy, url, { headers: key })).status).toBe(504);
  await (
    await upstream.call(0)
  ).closed;
});

it('[IDEM-11] cancels the upstream request after upstreamHeadersTotalTimeoutMs', async () => {
  const url = await begin(() => undefined, {
    upstreamHeadersTimeoutMs: 200,
    upstreamHeadersTotalTimeoutMs: 300,
  });
  expect((await post(proxy, url, { headers: key })).status).toBe(504);
  expect((await post(proxy, url, { headers: key })).status).toBe(504);
  await (
    await upstream.call(0)
  ).closed;
});
