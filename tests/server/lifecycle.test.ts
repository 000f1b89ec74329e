import { afterEach, describe, expect, it } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_KEY, UPSTREAM_OUTCOME } from '../../protocol/headers.ts';
import { startProxy, temporaryFolder, type TestProxy } from '../support/proxy.ts';
import { startProxyProcess } from '../support/process.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function open(): Promise<{ proxy: TestProxy; upstream: Upstream; url: string }> {
  const upstream = await startUpstream(({ res }) => void write(res, 'first words'));
  const proxy = await startProxy();
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  return { proxy, upstream, url: `${upstream.url}/answer` };
}

describe('close', () => {
  it('[LIFE-2] lets a running stream and its reader finish, and rejects new creates', async () => {
    const { proxy, upstream, url } = await open();
    const created = await post(proxy, url);
    const live = await fetch(withQuery(locationOf(proxy, created), { live: 'sse' }));
    const stopped = proxy.stop({ drainMs: 20_000 });
    const refused = await post(proxy, url);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(refused.headers.get('connection')).toBe('close');
    expect(await codeOf(refused)).toBe('SHUTTING_DOWN');
    (await upstream.call(0)).res.end(', last words');
    const { bytes, controls } = await readSse(live);
    expect(bytes.toString()).toBe('first words, last words');
    expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
    await stopped;
    await expect(fetch(proxy.url)).rejects.toThrow();
  });

  it('[LIFE-3] closes streams as interrupted at the drain timeout, for readers too, and cancels their upstream requests', async () => {
    const { proxy, upstream, url } = await open();
    const created = await post(proxy, url);
    const live = await fetch(withQuery(locationOf(proxy, created), { live: 'sse' }));
    await proxy.stop({ drainMs: 0 });
    const { bytes, controls } = await readSse(live);
    expect(bytes.toString()).toBe('first words');
    expect(controls.at(-1)).toMatchObject({
      streamClosed: true,
      upstreamOutcome: 'interrupted',
      upstreamError: { code: 'SHUTTING_DOWN' },
    });
    await (
      await upstream.call(0)
    ).closed;
  });

  it('ends a create that waits for its upstream', async () => {
    const upstream = await startUpstream(() => undefined);
    const proxy = await startProxy();
    cleanups.push(() => upstream.close());
    const waiting = post(proxy, `${upstream.url}/answer`);
    const call = await upstream.call(0);
    await proxy.stop({ drainMs: 0 });
    expect((await waiting).status).toBe(503);
    await call.closed;
  });
});

describe('a restart on the same dataDir', () => {
  it('[LIFE-4] keeps closed streams with their bytes, outcomes and URLs', async () => {
    const folder = await temporaryFolder();
    cleanups.push(() => folder.remove());
    const upstream = await startUpstream(({ res }) =>
      res.writeHead(200, { 'content-type': 'text/x-story' }).end('a story'),
    );
    cleanups.push(() => upstream.close());
    const before = await startProxy({ dataDir: folder.path });
    const url = locationOf(
      before,
      await post(before, `${upstream.url}/answer`, { headers: { [STREAM_KEY]: 'tale' } }),
    );
    await readSse(await fetch(withQuery(url, { live: 'sse' })));
    await before.stop();

    const after = await startProxy({ dataDir: folder.path });
    cleanups.push(() => after.stop({ drainMs: 0 }));
    const again = await fetch(url.replace(before.url, after.url));
    expect(await again.text()).toBe('a story');
    expect(again.headers.get('upstream-content-type')).toBe('text/x-story');
    expect(again.headers.get(UPSTREAM_OUTCOME)).toBe('complete');
  });

  it('[LIFE-4] keeps all acknowledged bytes after kill -9, and closes the open stream as interrupted', async () => {
    const folder = await temporaryFolder();
    cleanups.push(() => folder.remove());
    const upstream = await startUpstream(({ res }) => void write(res, 'acknowledged'));
    cleanups.push(() => upstream.close());
    const child = await startProxyProcess({ dataDir: folder.path });
    cleanups.push(() => child.kill('SIGKILL'));
    const url = locationOf(child, await post(child, `${upstream.url}/answer`));
    const seen = await readSse(
      await fetch(withQuery(url, { live: 'sse' })),
      ({ bytes }) => bytes.length === 12,
    );
    expect(seen.bytes.toString()).toBe('acknowledged');
    await child.kill('SIGKILL');

    const after = await startProxy({ dataDir: folder.path });
    cleanups.push(() => after.stop({ drainMs: 0 }));
    const { bytes, controls } = await readSse(
      await fetch(withQuery(url.replace(child.url, after.url), { live: 'sse' })),
    );
    expect(bytes.toString()).toBe('acknowledged');
    expect(controls.at(-1)).toMatchObject({ streamClosed: true, upstreamOutcome: 'interrupted' });
  });

  it('[LIFE-4] keeps keys after kill -9, and releases the key of a pending create', async () => {
    const folder = await temporaryFolder();
    cleanups.push(() => folder.remove());
    const upstream = await startUpstream(({ res, body }) => {
      if (body.toString() !== 'pending' || upstream.calls.length > 2) void write(res, 'x');
    });
    cleanups.push(() => upstream.close());
    const url = `${upstream.url}/answer`;
    const child = await startProxyProcess({ dataDir: folder.path });
    cleanups.push(() => child.kill('SIGKILL'));
    const running = { body: 'running', headers: { [IDEMPOTENCY_KEY]: 'running' } };
    const pending = { body: 'pending', headers: { [IDEMPOTENCY_KEY]: 'pending' } };
    const first = locationOf(child, await post(child, url, running));
    const lost = post(child, url, pending).catch(() => 'lost');
    await upstream.call(1);
    await child.kill('SIGKILL');
    expect(await lost).toBe('lost');

    const after = await startProxy({ dataDir: folder.path });
    cleanups.push(() => after.stop({ drainMs: 0 }));
    const found = await post(after, url, running);
    expect(found.status).toBe(200);
    expect(new URL(locationOf(after, found)).pathname).toBe(new URL(first).pathname);
    expect((await post(after, url, pending)).status).toBe(201);
    expect(upstream.calls).toHaveLength(3);
  });

  it('rejects a second process on the same dataDir and says what to do', async () => {
    const folder = await temporaryFolder();
    cleanups.push(() => folder.remove());
    const child = await startProxyProcess({ dataDir: folder.path });
    cleanups.push(() => child.kill('SIGKILL'));
    await expect(startProxy({ dataDir: folder.path })).rejects.toThrow(/dataDir/);
  });
});

describe('signals to the standalone server', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('[LIFE-5] %s drains and exits 0', async (signal) => {
    const folder = await temporaryFolder();
    cleanups.push(() => folder.remove());
    const upstream = await startUpstream(({ res }) => void write(res, 'almost '));
    cleanups.push(() => upstream.close());
    const child = await startProxyProcess({ dataDir: folder.path });
    const url = locationOf(child, await post(child, `${upstream.url}/answer`));
    const live = await fetch(withQuery(url, { live: 'sse' }));
    const exited = child.kill(signal);
    (await upstream.call(0)).res.end('done');
    const { bytes, controls } = await readSse(live);
    expect(bytes.toString()).toBe('almost done');
    expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
    expect(await exited).toBe(0);
  });
});
