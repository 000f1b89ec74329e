import { afterEach, describe, expect, it } from 'vitest';
import { IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, UPSTREAM_OUTCOME } from '../../protocol/headers.ts';
import { createServiceToken, type ProxyEvent, type ProxyServerOptions } from '../../server/index.ts';
import { SECRET, startProxy, temporaryFolder, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

const OVERHEAD = 1_024;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function begin(
  options: Partial<ProxyServerOptions>,
  handler: (call: UpstreamCall) => void = ({ res, body }) => res.end(body),
): Promise<{ proxy: TestProxy; upstream: Upstream; url: string }> {
  const upstream = await startUpstream(handler);
  const proxy = await startProxy(options);
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  return { proxy, upstream, url: `${upstream.url}/x` };
}

const as = async (subject: string): Promise<{ authorization: string }> => ({
  authorization: `Bearer ${await createServiceToken({ jwtSecret: SECRET, subject, expiresInSeconds: 60 })}`,
});
/** Creates a stream and reads it to its end. Returns its URL. */
const store = async (proxy: TestProxy, url: string, body: string, headers = {}): Promise<string> => {
  const created = await post(proxy, url, { body, headers });
  expect(created.status).toBe(201);
  const location = locationOf(proxy, created);
  await readSse(await fetch(withQuery(location, { live: 'sse' })));
  return location;
};
const remove = (location: string): Promise<Response> =>
  fetch(location.split('?')[0]!, { method: 'DELETE', headers: { authorization: `Bearer ${SECRET}` } });

describe('maxStoredBytes', () => {
  it('[LIMIT-10] rejects a create when it is reached, without an upstream call, and keeps stored streams readable', async () => {
    const { proxy, upstream, url } = await begin({ maxStoredBytes: 5_000 });
    const location = await store(proxy, url, 'x'.repeat(3_000));
    const refused = await post(proxy, url, { body: 'y' });
    expect([refused.status, await codeOf(refused)]).toEqual([507, 'STORAGE_QUOTA_EXCEEDED']);
    expect(upstream.calls).toHaveLength(1);
    const read = await fetch(location);
    expect([await read.text(), read.headers.get(UPSTREAM_OUTCOME)]).toEqual(['x'.repeat(3_000), 'complete']);
  });

  it('[LIMIT-10] releases the Idempotency-Key of a rejected create, and still returns the stream of a known key', async () => {
    const { proxy, upstream, url } = await begin({ maxStoredBytes: 5_000 });
    const [known, refused] = ['known', 'refused'].map((key) => ({ [IDEMPOTENCY_KEY]: key }));
    const body = 'x'.repeat(3_000);
    const location = await store(proxy, url, body, known);
    expect((await post(proxy, url, { headers: refused! })).status).toBe(507);
    const found = await post(proxy, url, { body, headers: known! });
    expect([found.status, found.headers.get(IDEMPOTENCY_REPLAYED)]).toEqual([200, 'true']);
    await remove(location);
    expect((await post(proxy, url, { headers: refused! })).status).toBe(201);
    expect(upstream.calls).toHaveLength(2);
  });

  it('[LIMIT-11] closes a running stream that reaches it as too-large, keeps the bytes within it, and cancels the upstream request', async () => {
    const events: ProxyEvent[] = [];
    const { proxy, upstream, url } = await begin(
      { maxStoredBytes: 5_000, onEvent: (event) => events.push(event) },
      ({ res }) => void write(res, 'x'.repeat(5_000)),
    );
    const location = locationOf(proxy, await post(proxy, url));
    const { bytes, controls } = await readSse(await fetch(withQuery(location, { live: 'sse' })));
    expect(bytes).toHaveLength(5_000 - OVERHEAD);
    expect(controls.at(-1)).toMatchObject({
      upstreamOutcome: 'too-large',
      upstreamError: { code: 'STORAGE_QUOTA_EXCEEDED' },
    });
    await (
      await upstream.call(0)
    ).closed;
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'closed', outcome: 'too-large', bytes: 5_000 - OVERHEAD }),
    );
  });

  it('[LIMIT-11] shares the remaining space among running streams', async () => {
    const { proxy, upstream, url } = await begin({ maxStoredBytes: 50_000 }, ({ res }) => res.flushHeaders());
    const created = await Promise.all(Array.from({ length: 4 }, () => post(proxy, url)));
    for (const { res } of upstream.calls) res.end('x'.repeat(20_000));
    const reads = await Promise.all(
      created.map(async (each) => readSse(await fetch(withQuery(locationOf(proxy, each), { live: 'sse' })))),
    );
    expect(reads.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBe(50_000 - 4 * OVERHEAD);
    const outcomes = reads.map(({ controls }) => controls.at(-1)?.upstreamOutcome).sort();
    expect(outcomes).toEqual(['complete', 'complete', 'too-large', 'too-large']);
  });

  it('[LIMIT-12] frees the space of a deleted stream', async () => {
    const { proxy, url } = await begin({ maxStoredBytes: 5_000 });
    for (let i = 0; i < 3; i += 1) {
      const location = await store(proxy, url, 'x'.repeat(3_000));
      expect((await post(proxy, url)).status).toBe(507);
      expect((await remove(location)).status).toBe(204);
    }
  });

  it('[LIMIT-10] counts bytes that were stored before a restart', async () => {
    const folder = await temporaryFolder();
    cleanups.push(() => folder.remove());
    const options = { maxStoredBytes: 5_000, dataDir: folder.path };
    const first = await begin(options);
    await store(first.proxy, first.url, 'x'.repeat(3_000));
    await first.proxy.stop({ drainMs: 0 });
    const { proxy, url } = await begin(options);
    expect((await post(proxy, url)).status).toBe(507);
  });
});

describe('maxStoredBytesPerSubject', () => {
  it('[LIMIT-10] limits each subject separately, and not the plain secret', async () => {
    const { proxy, url } = await begin({ maxStoredBytesPerSubject: 5_000 });
    await store(proxy, url, 'x'.repeat(3_000), await as('ada'));
    const refused = await post(proxy, url, { headers: await as('ada') });
    expect([refused.status, await codeOf(refused)]).toEqual([507, 'STORAGE_QUOTA_EXCEEDED']);
    await store(proxy, url, 'x'.repeat(3_000), await as('bob'));
    for (let i = 0; i < 3; i += 1) await store(proxy, url, 'x'.repeat(3_000));
  });

  it('[LIMIT-10] limits a subject that stores small responses in a loop', async () => {
    const { proxy, upstream, url } = await begin({ maxStoredBytesPerSubject: 20 * OVERHEAD });
    const headers = await as('ada');
    const statuses: number[] = [];
    for (let i = 0; i < 25; i += 1) statuses.push((await post(proxy, url, { headers })).status);
    expect(statuses).toEqual([...Array<number>(20).fill(201), ...Array<number>(5).fill(507)]);
    expect(upstream.calls).toHaveLength(20);
  });
});
