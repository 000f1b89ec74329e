import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { UPSTREAM_OUTCOME } from '../../protocol/headers.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

let proxy: TestProxy;
let upstream: Upstream | undefined;

beforeAll(async () => {
  proxy = await startProxy({ maxResponseBytes: 1_000, upstreamInactivityTimeoutMs: 300 });
});
afterEach(async () => {
  await upstream?.close();
  upstream = undefined;
});
afterAll(() => proxy.stop({ drainMs: 0 }));

async function begin(handler: (call: UpstreamCall) => void): Promise<string> {
  upstream = await startUpstream(handler);
  const created = await post(proxy, `${upstream.url}/answer`);
  expect(created.status).toBe(201);
  return locationOf(proxy, created);
}

/** Reads to the end and checks that GET, HEAD and the last control event agree. */
async function endOf(url: string): Promise<{ outcome: string; text: string; code: string | undefined }> {
  const { bytes, controls } = await readSse(await fetch(withQuery(url, { live: 'sse' })));
  const last = controls.at(-1);
  expect(last?.streamClosed).toBe(true);
  const get = await fetch(url);
  const head = await fetch(url.split('?')[0]!, {
    method: 'HEAD',
    headers: { authorization: `Bearer ${SECRET}` },
  });
  expect(Buffer.from(await get.arrayBuffer())).toEqual(bytes);
  expect(get.headers.get(UPSTREAM_OUTCOME)).toBe(last?.upstreamOutcome);
  expect(head.headers.get(UPSTREAM_OUTCOME)).toBe(last?.upstreamOutcome);
  return { outcome: last!.upstreamOutcome!, text: bytes.toString(), code: last?.upstreamError?.code };
}

describe('the outcome of a stream', () => {
  it('is complete if the body is complete', async () => {
    const url = await begin(({ res }) => res.end('whole'));
    expect(await endOf(url)).toEqual({ outcome: 'complete', text: 'whole', code: undefined });
  });

  it('is complete for a 204 and an empty body', async () => {
    const url = await begin(({ res }) => res.writeHead(204).end());
    expect(await endOf(url)).toEqual({ outcome: 'complete', text: '', code: undefined });
  });

  it('is upstream-error if the body is cut within a chunk', async () => {
    const url = await begin(({ res }) => {
      res.writeHead(200, { 'transfer-encoding': 'chunked' });
      void write(res, 'half a').then(() => res.socket!.end('5\r\nab'));
    });
    expect(await endOf(url)).toMatchObject({ outcome: 'upstream-error', code: 'UPSTREAM_ERROR' });
  });

  it('is upstream-error if the connection is reset', async () => {
    const url = await begin(({ res }) => {
      void write(res, 'before the reset').then(() => res.socket!.resetAndDestroy());
    });
    expect((await endOf(url)).outcome).toBe('upstream-error');
  });

  it('is upstream-error if the body is shorter than its Content-Length', async () => {
    const url = await begin(({ res }) => {
      res.writeHead(200, { 'content-length': 100 });
      void write(res, 'short').then(() => res.socket!.end());
    });
    expect(await endOf(url)).toMatchObject({ outcome: 'upstream-error', text: 'short' });
  });

  it('[LIMIT-6] is timeout after upstreamInactivityTimeoutMs without a byte, and the upstream request is canceled', async () => {
    const url = await begin(({ res }) => void write(res, 'then nothing'));
    expect(await endOf(url)).toEqual({ outcome: 'timeout', text: 'then nothing', code: 'UPSTREAM_TIMEOUT' });
    await (
      await upstream!.call(0)
    ).closed;
  });

  it('[LIMIT-3] is too-large over maxResponseBytes, the bytes within it are kept, and the upstream request is canceled', async () => {
    const url = await begin(({ res }) => void write(res, 'x'.repeat(1_001)));
    expect(await endOf(url)).toEqual({
      outcome: 'too-large',
      text: 'x'.repeat(1_000),
      code: 'RESPONSE_TOO_LARGE',
    });
    await (
      await upstream!.call(0)
    ).closed;
  });

  it('[LIMIT-3] is complete at exactly maxResponseBytes', async () => {
    const url = await begin(({ res }) => res.end('x'.repeat(1_000)));
    expect(await endOf(url)).toMatchObject({ outcome: 'complete', text: 'x'.repeat(1_000) });
  });

  it('is aborted after an abort, the received bytes are kept, and the upstream request is canceled while the upstream sends nothing', async () => {
    const url = await begin(({ res }) => void write(res, 'so far'));
    const live = await fetch(withQuery(url, { live: 'sse' }));
    const stop = await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });
    expect(stop.status).toBe(204);
    await (
      await upstream!.call(0)
    ).closed;
    expect((await readSse(live)).controls.at(-1)?.upstreamOutcome).toBe('aborted');
    expect(await endOf(url)).toMatchObject({ outcome: 'aborted', code: 'ABORTED' });
    const again = await fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });
    expect(again.status).toBe(204);
  });

  it('[SSE-12] is none after a deletion: the upstream request is canceled, and reads end without a closing event', async () => {
    const url = await begin(({ res }) => void write(res, 'never mind'));
    const live = await fetch(withQuery(url, { live: 'sse' }));
    const path = url.split('?')[0]!;
    const gone = await fetch(path, { method: 'DELETE', headers: { authorization: `Bearer ${SECRET}` } });
    expect(gone.status).toBe(204);
    await (
      await upstream!.call(0)
    ).closed;
    await readSse(live);
    expect((await fetch(url)).status).toBe(404);
  });
});
