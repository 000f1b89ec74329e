import { createServer } from 'node:http';
import { stat } from 'node:fs/promises';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { createDurableHandler, type DurableHandler, type DurableHandlerOptions } from 'durable-proxy/web';
import { createDurableFetch } from 'durable-proxy/client';
import { SECRET } from '../support/proxy.ts';
import { startResumableProvider, textsIn, textsOf } from '../support/resumable-provider.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { createHandler } from '../support/web-handler.ts';
import { readSse } from '../support/wire.ts';
import { withResolvers } from '../support/with-resolvers.ts';

const BASE = '/v1/proxy';
const ORIGIN = 'https://chat.example.com';
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function handlerOf(
  options: Partial<DurableHandlerOptions> = {},
): Promise<{ handler: DurableHandler; dataDir: string }> {
  const { handler, dataDir, close } = await createHandler(options);
  cleanups.push(close);
  return { handler, dataDir };
}

async function upstreamOf(...[handler]: Parameters<typeof startUpstream>): Promise<Upstream> {
  const upstream = await startUpstream(handler);
  cleanups.push(() => upstream.close());
  return upstream;
}

function create(url: string, init: RequestInit = {}, mount = BASE): Request {
  const headers = { authorization: `Bearer ${SECRET}`, 'upstream-url': url, 'upstream-method': 'POST' };
  return new Request(ORIGIN + mount, { method: 'POST', headers, body: 'question', ...init });
}

/** Returns a request for the stream that a response created. */
function read(created: Response, params: Record<string, string> = {}, init: RequestInit = {}): Request {
  const url = new URL(created.headers.get('location')!, ORIGIN);
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return new Request(url, init);
}

describe('a web handler', () => {
  it('creates, reads, finds the head and deletes with plain Request objects', async () => {
    const upstream = await upstreamOf(({ res, body }) => res.end(`got ${body.toString()}`));
    const { handler } = await handlerOf();
    const created = await handler(create(`${upstream.url}/x`));
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toMatch(/^\/v1\/proxy\/[0-9a-f-]{36}\?/);
    const { bytes } = await readSse(await handler(read(created, { live: 'sse' })));
    expect(bytes.toString()).toBe('got question');
    expect(await (await handler(read(created, { as: 'upstream' }))).text()).toBe('got question');
    const headers = { authorization: `Bearer ${SECRET}` };
    const url = read(created).url.split('?')[0]!;
    const head = await handler(new Request(url, { method: 'HEAD', headers }));
    expect([head.status, head.body]).toEqual([200, null]);
    expect((await handler(new Request(url, { method: 'DELETE', headers }))).status).toBe(204);
    expect((await handler(read(created))).status).toBe(404);
  });

  it('opens no store after close', async () => {
    const { handler, dataDir } = await handlerOf();
    await handler.close();
    await expect(handler.ready).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    await expect(stat(dataDir)).rejects.toThrow(/ENOENT/);
  });

  it('opens no store before the first request', async () => {
    const { handler, dataDir } = await handlerOf();
    await expect(stat(dataDir)).rejects.toThrow('ENOENT');
    await handler(new Request(`${ORIGIN}${BASE}`, { headers: { authorization: `Bearer ${SECRET}` } }));
    expect((await stat(dataDir)).isDirectory()).toBe(true);
  });

  it('responds 503 after close, and opens no store for it', async () => {
    const { handler, dataDir } = await handlerOf();
    await handler.close();
    const refused = await handler(create('http://127.0.0.1:1/x'));
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'SHUTTING_DOWN' } }]);
    await expect(stat(dataDir)).rejects.toThrow('ENOENT');
  });

  it('works where the framework has removed the path of the mount', async () => {
    const upstream = await upstreamOf(({ res }) => res.end('answer'));
    const { handler } = await handlerOf();
    const created = await handler(create(`${upstream.url}/x`, {}, '/'));
    expect(created.headers.get('location')).toMatch(/^\/v1\/proxy\//);
  });

  it('responds 404 to a path beside the mount', async () => {
    const { handler } = await handlerOf();
    expect((await handler(new Request(`${ORIGIN}/v1/proxyx`))).status).toBe(404);
  });

  it('calls prepareUpstream without a Request for the requests of a recovery', async () => {
    const cut = (_seed: number, connection: number) =>
      connection === 0 ? ({ after: 400, how: 'reset' } as const) : undefined;
    const provider = await startResumableProvider({ kind: 'openai', cut });
    cleanups.push(() => provider.close());
    const seen: string[] = [];
    const { handler } = await handlerOf({
      prepareUpstream: ({ purpose, req }) => void seen.push(`${purpose} ${req instanceof Request}`),
    });
    const body = JSON.stringify({ background: true, stream: true });
    const created = await handler(create(provider.urlOf(1), { body }));
    const { bytes, controls } = await readSse(await handler(read(created, { live: 'sse' })));
    expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
    expect(textsIn(bytes)).toEqual(textsOf(1));
    expect(seen).toEqual(['create true', 'resume false']);
  });

  it('passes the Request to authenticate and prepareUpstream', async () => {
    const upstream = await upstreamOf(({ res, req }) => res.end(String(req.headers['x-user'])));
    const { handler } = await handlerOf({
      authenticate: async (request) => ({ subject: `user of ${(await request.clone().text()).length}` }),
      prepareUpstream: ({ headers, req, subject }) =>
        headers.set('x-user', `${subject} ${new URL(req!.url).pathname}`),
    });
    const headers = { 'upstream-url': `${upstream.url}/x`, 'upstream-method': 'POST' };
    const created = await handler(create('', { headers }));
    const { bytes } = await readSse(await handler(read(created, { live: 'sse' })));
    expect(bytes.toString()).toBe('user of 8 /v1/proxy');
  });

  it('passes on a live read as it arrives, and releases it when its body is canceled', async () => {
    const upstream = await upstreamOf(({ res }) => void write(res, 'first'));
    const ended = withResolvers<number>();
    const { handler } = await handlerOf({
      onEvent: (event) => void (event.type === 'read-ended' && ended.resolve(event.bytes)),
    });
    const created = await handler(create(`${upstream.url}/x`));
    const live = await handler(read(created, { live: 'sse' }));
    const reader = live.body!.getReader();
    // The upstream never ends, so this returns only because the first bytes were not held back.
    let text = '';
    while (!text.includes(Buffer.from('first').toString('base64')))
      text += Buffer.from((await reader.read()).value!).toString();
    await reader.cancel();
    expect(await ended.promise).toBe(5);
  });

  it('releases a live read when the signal of its request aborts', async () => {
    const upstream = await upstreamOf(({ res }) => void write(res, 'first'));
    const ended = withResolvers<number>();
    const { handler } = await handlerOf({
      onEvent: (event) => void (event.type === 'read-ended' && ended.resolve(event.bytes)),
    });
    const created = await handler(create(`${upstream.url}/x`));
    const client = new AbortController();
    await handler(read(created, { live: 'sse' }, { signal: client.signal }));
    client.abort();
    await ended.promise;
  });

  it('buffers a bounded part of a long answer for a reader that reads nothing', async () => {
    const size = 8 * 1_048_576;
    const upstream = await upstreamOf(({ res }) => res.end(Buffer.alloc(size, 'x')));
    const ended = withResolvers<number>();
    const { handler } = await handlerOf({
      readerStallTimeoutMs: 300,
      onEvent: (event) => void (event.type === 'read-ended' && ended.resolve(event.bytes)),
    });
    const created = await handler(create(`${upstream.url}/x`));
    const live = await handler(read(created, { live: 'sse' }));
    // Nobody reads: the stall timeout breaks the response off.
    expect(await ended.promise).toBeLessThan(size / 8);
    await expect(live.text()).rejects.toThrow('The proxy aborted the response');
  });

  it.each([
    [{ basePath: undefined as never }, /createDurableHandler needs basePath/],
    [{ jwtSecrets: 'x' } as never, /createDurableHandler/],
    [{ authenticate: 'x' as never }, /authenticate must be/],
  ])('refuses %j', (options, message) => {
    expect(() => createDurableHandler({ basePath: BASE, jwtSecret: SECRET, ...options })).toThrow(message);
  });

  it('responds 500 and logs the reason if an option is invalid that a build may lack', async () => {
    const errors: unknown[] = [];
    const nothing = () => undefined;
    const { handler } = await handlerOf({
      jwtSecret: undefined as never,
      logger: {
        debug: nothing,
        info: nothing,
        warn: nothing,
        error: ({ err }: { err?: unknown }) => errors.push(err),
      },
    });
    const response = await handler(create('http://127.0.0.1/x'));
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { code: 'INTERNAL_ERROR' } });
    expect(errors).toEqual([expect.objectContaining({ name: 'ConfigurationError' })]);
  });
});

describe('Hono on Node', () => {
  it('serves the client', async () => {
    const upstream = await upstreamOf(({ res, body }) => res.end(`got ${body.toString()}`));
    const { handler } = await handlerOf();
    const app = new Hono();
    app.all(`${BASE}/*`, (c) => handler(c.req.raw));
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', createServer });
    await once(server, 'listening');
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const proxyUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}${BASE}`;
    const durableFetch = createDurableFetch({ proxyUrl, proxyAuthorization: SECRET });
    const answer = await durableFetch(`${upstream.url}/x`, { method: 'POST', body: 'it', requestId: 'one' });
    expect([await answer.text(), await answer.outcome]).toEqual(['got it', 'complete']);
  });
});
