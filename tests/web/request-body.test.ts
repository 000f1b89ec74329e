import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { DurableHandler, DurableHandlerOptions } from 'durable-proxy/web';
import { SECRET } from '../support/proxy.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';
import { createHandler } from '../support/web-handler.ts';
import { readSse } from '../support/wire.ts';

const BASE = '/v1/proxy';
const ORIGIN = 'https://chat.example.com';
const CHUNK = 65_536;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function handlerOf(options: Partial<DurableHandlerOptions> = {}): Promise<DurableHandler> {
  const { handler, close } = await createHandler(options);
  cleanups.push(close);
  return handler;
}

async function upstreamOf(...[handler]: Parameters<typeof startUpstream>): Promise<Upstream> {
  const upstream = await startUpstream(handler);
  cleanups.push(() => upstream.close());
  return upstream;
}

/** A body that is generated as it is read. Without `chunks` it never ends; `stalls` makes it wait after them. */
function upload({ chunks = Infinity, stalls = false }: { chunks?: number; stalls?: boolean } = {}) {
  const state = { pulled: 0, isCanceled: false };
  let onStall!: () => void;
  const stalled = new Promise<void>((resolve) => (onStall = resolve));
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // A turn of the event loop, as a socket needs.
        await new Promise((resolve) => setImmediate(resolve));
        if (state.pulled < chunks * CHUNK) {
          state.pulled += CHUNK;
          controller.enqueue(new Uint8Array(CHUNK));
        } else if (stalls) {
          onStall();
          await new Promise(() => undefined);
        } else controller.close();
      },
      cancel: () => void (state.isCanceled = true),
    },
    { highWaterMark: 0 },
  );
  return { body, state, stalled };
}

function create(url: string, init: RequestInit): Request {
  const headers = { authorization: `Bearer ${SECRET}`, 'upstream-url': url, 'upstream-method': 'POST' };
  // Requests whose body is a stream need `duplex` (Fetch, section 5.4).
  return new Request(ORIGIN + BASE, { method: 'POST', headers, duplex: 'half', ...init } as RequestInit);
}

describe('the body of a request to a web handler', () => {
  it('is read only up to the limit if it never ends', async () => {
    const upstream = await upstreamOf(({ res }) => res.end('answer'));
    const maxRequestBytes = 16 * CHUNK;
    const handler = await handlerOf({ maxRequestBytes });
    const { body, state } = upload();
    const client = new AbortController();
    const refused = await handler(create(`${upstream.url}/x`, { body, signal: client.signal }));
    // `Readable` buffers one chunk ahead.
    expect(state.pulled).toBeLessThanOrEqual(maxRequestBytes + 3 * CHUNK);
    expect([refused.status, await refused.json()]).toMatchObject([
      413,
      { error: { code: 'REQUEST_TOO_LARGE' } },
    ]);
    expect(upstream.calls).toEqual([]);
    client.abort();
    await expect.poll(() => state.isCanceled).toBe(true);
  });

  it('is not read at all if the caller is refused', async () => {
    const handler = await handlerOf();
    const { body, state } = upload();
    const refused = await handler(create('http://other.example.com/', { body }));
    expect([refused.status, state.pulled]).toEqual([403, 0]);
  });

  it('is passed on whole to an upstream that reads it slowly', async () => {
    const size = 128 * CHUNK;
    const handler = await handlerOf();
    const { body, state } = upload({ chunks: 128 });
    let received = 0;
    const server = createServer((req, res) => {
      // The upstream reads nothing until the test says so.
      held(req);
      req.on('data', (chunk: Buffer) => (received += chunk.length)).on('end', () => res.end('answer'));
      req.pause();
    });
    let held!: (req: IncomingMessage) => void;
    const called = new Promise<IncomingMessage>((resolve) => (held = resolve));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const response = handler(create(`http://127.0.0.1:${port}/x`, { body }));
    const req = await called;
    // The body is complete before the upstream is called (ERR-8). It is held once, below `maxRequestBytes`.
    expect([state.pulled, received]).toEqual([size, 0]);
    req.resume();
    const created = await response;
    expect([created.status, received]).toEqual([201, size]);
    const url = new URL(created.headers.get('location')!, ORIGIN);
    url.searchParams.set('live', 'sse');
    expect((await readSse(await handler(new Request(url)))).bytes.toString()).toBe('answer');
  });

  it('is canceled when the signal of the request aborts, and the upstream is not called', async () => {
    const upstream = await upstreamOf(({ res }) => res.end('answer'));
    const handler = await handlerOf({ maxConcurrentStreams: 1 });
    const { body, state, stalled } = upload({ chunks: 4, stalls: true });
    const client = new AbortController();
    const response = handler(create(`${upstream.url}/x`, { body, signal: client.signal }));
    await stalled;
    client.abort();
    await response;
    await expect.poll(() => state.isCanceled).toBe(true);
    expect(upstream.calls).toEqual([]);
    // Its slot is free again.
    await expect
      .poll(async () => (await handler(create(`${upstream.url}/x`, { body: 'question' }))).status)
      .toBe(201);
  });
});

describe('the signal of a request to a web handler', () => {
  it('cancels an upstream request that has no response yet', async () => {
    const upstream = await upstreamOf(() => undefined);
    const handler = await handlerOf();
    const client = new AbortController();
    const response = handler(create(`${upstream.url}/x`, { body: 'question', signal: client.signal }));
    const { closed } = await upstream.call(0);
    client.abort();
    await Promise.all([closed, response]);
  });
});
