import { createDurableFetch, MemoryStorage, type DurableFetchOptions } from 'durable-proxy/client';
import { afterEach, expect, it } from 'vitest';
import {
  PREFERENCE_APPLIED,
  RETURN_REPRESENTATION,
  STREAM_NEXT_OFFSET,
  STREAM_SSE_DATA_ENCODING,
  STREAM_UP_TO_DATE,
  UPSTREAM_CONTENT_TYPE,
} from '../../protocol/headers.ts';
import { OFFSET, OFFSET_START } from '../../protocol/query.ts';
import type { ProxyServerOptions } from '../../server/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startRelay, type Relay } from '../support/relay.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Scene {
  readonly proxy: TestProxy;
  readonly relay: Relay;
  readonly upstream: Upstream;
  /** Requests of the client in order. */
  readonly requests: { readonly method: string; readonly url: URL }[];
  readonly durableFetch: ReturnType<typeof createDurableFetch>;
}

/** Connects the client, a network that can cut connections, the server and an upstream. */
async function scene(
  handler: (call: UpstreamCall) => void,
  cutAfter: () => number | undefined = () => undefined,
  options: Partial<ProxyServerOptions> = {},
): Promise<Scene> {
  const proxy = await startProxy(options);
  const relay = await startRelay(proxy.url, cutAfter);
  const upstream = await startUpstream(handler);
  cleanups.push(
    () => proxy.stop({ drainMs: 0 }),
    () => relay.close(),
    () => upstream.close(),
  );
  const requests: Scene['requests'] = [];
  const recording: typeof fetch = (input, init) => {
    requests.push({ method: init?.method ?? 'GET', url: new URL(input as string) });
    return fetch(input, init);
  };
  const durableFetch = createDurableFetch(clientOptions(`${relay.url}/v1/proxy`, recording));
  return { proxy, relay, upstream, requests, durableFetch };
}

function clientOptions(proxyUrl: string, over: typeof fetch = fetch): DurableFetchOptions {
  return { proxyUrl, proxyAuthorization: SECRET, storage: new MemoryStorage(), fetch: over };
}

/** Returns the bytes of the server from an offset. */
async function restOf(url: string, from: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let offset = from; ;) {
    const piece = await fetch(`${url}&${OFFSET}=${offset}`);
    expect(piece.status).toBe(200);
    pieces.push(Buffer.from(await piece.arrayBuffer()));
    if (piece.headers.has(STREAM_UP_TO_DATE)) return Buffer.concat(pieces);
    offset = piece.headers.get(STREAM_NEXT_OFFSET)!;
  }
}

it('[CLIENT-1][CLIENT-2] continues from received offsets until the stream is closed', async () => {
  const body = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251));
  const cuts = [undefined, 100_000, 100_000, 100_000];
  const { proxy, relay, upstream, requests, durableFetch } = await scene(
    ({ res }) => void res.end(body),
    () => cuts.pop(),
  );
  const response = await durableFetch(`${upstream.url}/answer`, { method: 'POST' });
  expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  expect(relay.cuts).toBeGreaterThanOrEqual(2);
  const streamUrl = new URL(response.streamUrl!);
  const reads = requests.filter(({ method }) => method === 'GET');
  expect(reads.length).toBeGreaterThanOrEqual(relay.cuts);
  for (const { url } of reads) {
    const offset = url.searchParams.get(OFFSET)!;
    const rest = await restOf(`${proxy.url}${streamUrl.pathname}${streamUrl.search}`, offset);
    if (offset !== OFFSET_START) expect(rest.length).toBeLessThan(body.length);
    expect(rest.equals(body.subarray(body.length - rest.length))).toBe(true);
  }
});

it('[CLIENT-3] ignores unknown fields, events, comments and headers', async () => {
  const data = (text: string) => `event: data\ndata: ${Buffer.from(text).toString('base64')}\n\n`;
  const control = (fields: object) =>
    `event: control\ndata: ${JSON.stringify({ later: { x: [1] }, ...fields })}\n\n`;
  const { url, close } = await startUpstream(({ res }) => {
    res.writeHead(201, {
      Location: '/v1/proxy/0f8fad5b-d9cb-469f-a165-70867728950e?expires=9999999999&signature=x',
      'Content-Type': 'text/event-stream',
      [UPSTREAM_CONTENT_TYPE]: 'text/plain',
      [STREAM_SSE_DATA_ENCODING]: 'base64',
      [PREFERENCE_APPLIED]: RETURN_REPRESENTATION,
      'Stream-Of-The-Future': 'yes',
    });
    res.end(
      `: hello\n\nevent: weather\ndata: {"streamClosed":true}\n\ndata: nameless\n\nid: 7\nretry: 1\n\n${data('a')}` +
        `${control({ streamNextOffset: '1' })}event: control\ndata: no json\n\n${data('b')}` +
        control({ streamNextOffset: '2', streamClosed: true, upstreamOutcome: 'complete' }),
    );
  });
  cleanups.push(close);
  const response = await createDurableFetch(clientOptions(`${url}/v1/proxy`))('http://upstream.invalid/');
  expect(await response.text()).toBe('ab');
  expect(await response.outcome).toBe('complete');
});

it('[CLIENT-4] delivers every byte, then reports an outcome other than complete', async () => {
  const { upstream, durableFetch } = await scene(({ res }) => {
    res.writeHead(200, { 'content-type': 'text/plain' });
    void write(res, 'half an ans').then(() => res.socket?.resetAndDestroy());
  });
  const response = await durableFetch(`${upstream.url}/answer`, { method: 'POST' });
  const reader = response.body!.getReader();
  let text = '';
  const reading = async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      text += Buffer.from(next.value).toString();
    }
  };
  await expect(reading()).rejects.toMatchObject({ name: 'DurableStreamError', outcome: 'upstream-error' });
  expect(text).toBe('half an ans');
  expect(await response.outcome).toBe('upstream-error');
});

it('[CLIENT-5] repeats a create whose response was lost, with one upstream call', async () => {
  const cuts = [undefined, 1];
  const { relay, upstream, requests, durableFetch } = await scene(
    ({ res }) => void res.end('paid once'),
    () => cuts.pop(),
  );
  const response = await durableFetch(`${upstream.url}/answer`, { method: 'POST', body: '{}' });
  expect(await response.text()).toBe('paid once');
  expect(relay.cuts).toBe(1);
  expect(requests.filter(({ method }) => method === 'POST').length).toBeGreaterThan(1);
  expect(upstream.calls).toHaveLength(1);
});

it('[CLIENT-6] renews an expired URL without a second upstream call', async () => {
  const { relay, upstream, requests, durableFetch } = await scene(
    ({ res }) => void write(res, 'before '),
    undefined,
    { urlExpirationSeconds: 1 },
  );
  const response = await durableFetch(`${upstream.url}/answer`, { method: 'POST', requestId: 'one' });
  const reader = response.body!.getReader();
  expect(Buffer.from((await reader.read()).value!).toString()).toBe('before ');
  const expires = Number(new URL(response.streamUrl!).searchParams.get('expires')) * 1_000;
  await expect.poll(() => Date.now() > expires, { timeout: 5_000 }).toBe(true);
  relay.cutAll();
  (await upstream.call(0)).res.end('and after');
  let text = '';
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    text += Buffer.from(next.value).toString();
  }
  expect(text).toBe('and after');
  expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  expect(upstream.calls).toHaveLength(1);
});
