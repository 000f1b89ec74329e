import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_KEY, STREAM_NEXT_OFFSET, UPSTREAM_STATUS } from '../../protocol/headers.ts';
import {
  createServiceToken,
  durableProxy,
  type DurableProxyOptions,
  type ProxyServerOptions,
} from '../../server/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function begin(
  options: Partial<ProxyServerOptions>,
  handler: (call: UpstreamCall) => void,
): Promise<{ proxy: TestProxy; upstream: Upstream; url: string }> {
  const upstream = await startUpstream(handler);
  const proxy = await startProxy(options);
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  return { proxy, upstream, url: `${upstream.url}/x` };
}

const hold = ({ res }: UpstreamCall): void => void write(res, 'held');
const echo = ({ res, body }: UpstreamCall): void => void res.end(body);

describe('streamTtlSeconds', () => {
  it('can be Infinity', async () => {
    const { proxy, url } = await begin({ streamTtlSeconds: Infinity }, echo);
    const headers = { [IDEMPOTENCY_KEY]: 'key', [STREAM_KEY]: 'name' };
    const created = await post(proxy, url, { body: 'it', headers });
    expect(created.status).toBe(201);
    const { bytes } = await readSse(await fetch(withQuery(locationOf(proxy, created), { live: 'sse' })));
    expect(bytes.toString()).toBe('it');
    expect((await post(proxy, url, { body: 'it', headers })).status).toBe(200);
  });
});

describe('maxRequestBytes', () => {
  it('[LIMIT-1] accepts a body of exactly that size, and rejects one more byte without calling the upstream', async () => {
    const { proxy, upstream, url } = await begin({ maxRequestBytes: 10 }, echo);
    expect((await post(proxy, url, { body: '0123456789' })).status).toBe(201);
    const over = await post(proxy, url, { body: '0123456789a' });
    expect(over.status).toBe(413);
    expect(await codeOf(over)).toBe('REQUEST_TOO_LARGE');
    expect(upstream.calls).toHaveLength(1);
  });

  it('[LIMIT-1] counts the received bytes if Content-Length is missing', async () => {
    const { proxy, upstream, url } = await begin({ maxRequestBytes: 1_000 }, echo);
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(300)) });
    const over = await post(proxy, url, { body: endless, duplex: 'half' });
    expect(over.status).toBe(413);
    expect(upstream.calls).toHaveLength(0);
  });
});

/** Sends the headers of a create without its body. Returns the socket. */
function startUpload(proxy: TestProxy, url: string, contentLength: number) {
  const { hostname, port, pathname } = new URL(proxy.base);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(
    [
      `POST ${pathname} HTTP/1.1`,
      `Host: ${hostname}`,
      `Authorization: Bearer ${SECRET}`,
      `Upstream-URL: ${url}`,
      'Upstream-Method: POST',
      `Content-Length: ${contentLength}\r\n\r\n`,
    ].join('\r\n'),
  );
  return socket;
}

describe('an upload', () => {
  it('[LIMIT-1] is rejected before its first byte if its Content-Length is over the limit', async () => {
    const { proxy, url } = await begin({ maxRequestBytes: 10 }, echo);
    const socket = startUpload(proxy, url, 11);
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('is rejected if no byte arrives for upstreamInactivityTimeoutMs', async () => {
    const { proxy, url } = await begin({ upstreamInactivityTimeoutMs: 200 }, echo);
    const socket = startUpload(proxy, url, 10);
    socket.write('01234');
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it('[LIMIT-9] is rejected if it does not end within requestBodyTimeoutMs, even if bytes keep arriving', async () => {
    const { proxy, upstream, url } = await begin({ requestBodyTimeoutMs: 500 }, echo);
    const socket = startUpload(proxy, url, 1_000_000);
    const trickle = setInterval(() => socket.write('0'), 20);
    const [head] = (await once(socket, 'data')) as [Buffer];
    clearInterval(trickle);
    expect(head.toString()).toMatch(/^HTTP\/1\.1 400 [^]*did not arrive within 500 ms/);
    expect(upstream.calls).toHaveLength(0);
    socket.destroy();
  });

  it.each([undefined, 'key'])('releases its slot on every failure (Idempotency-Key: %s)', async (key) => {
    const { proxy, upstream, url } = await begin(
      { maxConcurrentStreams: 1, maxRequestBytes: 10, upstreamInactivityTimeoutMs: 200 },
      ({ req, res }) => {
        if (req.url === '/500') res.writeHead(500).end();
        else if (req.url === '/reset') res.socket!.resetAndDestroy();
        else if (req.url === '/302') res.writeHead(302, { location: '/' }).end();
        else res.end('fine');
      },
    );
    const headers = key === undefined ? {} : { [IDEMPOTENCY_KEY]: key };
    const refused = async (status: number, target: string, body?: string): Promise<void> =>
      expect((await post(proxy, target, { headers, ...(body && { body }) })).status).toBe(status);
    await refused(413, url, '0123456789a');
    await refused(403, 'http://127.0.0.2:1/');
    await refused(502, `${upstream.url}/500`);
    await refused(502, `${upstream.url}/reset`);
    await refused(400, `${upstream.url}/302`);
    const silent = startUpload(proxy, url, 10);
    await once(silent, 'data');
    silent.destroy();
    const cut = startUpload(proxy, url, 10);
    await new Promise((resolve) => cut.write('0', resolve));
    cut.destroy();
    await expect.poll(async () => (await post(proxy, url, { headers })).status).toBe(201);
  });
});

describe('maxConcurrentStreams', () => {
  it('[LIMIT-4] rejects the next create with Retry-After until one has ended', async () => {
    const { proxy, upstream, url } = await begin({ maxConcurrentStreams: 2 }, hold);
    const first = await post(proxy, url);
    await post(proxy, url);
    const over = await post(proxy, url);
    expect(over.status).toBe(429);
    expect(over.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await codeOf(over)).toBe('TOO_MANY_STREAMS');
    expect(upstream.calls).toHaveLength(2);
    (await upstream.call(0)).res.end();
    await readSse(await fetch(withQuery(locationOf(proxy, first), { live: 'sse' })));
    expect((await post(proxy, url)).status).toBe(201);
  });

  it('[LIMIT-4] counts creates that wait for their upstream, until they fail', async () => {
    const { proxy, upstream, url } = await begin({ maxConcurrentStreams: 1 }, () => undefined);
    const waiting = post(proxy, url);
    const call = await upstream.call(0);
    expect((await post(proxy, url)).status).toBe(429);
    call.res.writeHead(500).end();
    expect((await waiting).status).toBe(502);
    const next = post(proxy, url);
    (await upstream.call(1)).res.end();
    expect((await next).status).toBe(201);
  });

  it('does not count a create whose key has a stream', async () => {
    const { proxy, url } = await begin({ maxConcurrentStreams: 1 }, hold);
    const headers = { [IDEMPOTENCY_KEY]: 'one' };
    expect((await post(proxy, url, { headers })).status).toBe(201);
    expect((await post(proxy, url, { headers })).status).toBe(200);
  });

  it('[LIMIT-4] applies the limit per subject to each subject separately', async () => {
    const { proxy, url } = await begin({ maxConcurrentStreamsPerSubject: 1 }, hold);
    const as = async (subject: string) => {
      const token = await createServiceToken({ jwtSecret: SECRET, subject, expiresInSeconds: 60 });
      return (await post(proxy, url, { headers: { authorization: `Bearer ${token}` } })).status;
    };
    expect([await as('ann'), await as('ann'), await as('ben')]).toEqual([201, 429, 201]);
  });
});

describe('other limits', () => {
  it('[LIMIT-2] maxErrorBytes truncates an upstream’s error and closes its connection', async () => {
    const { proxy, upstream, url } = await begin({ maxErrorBytes: 5 }, ({ res }) => {
      res.writeHead(500);
      void write(res, 'x'.repeat(100_000));
    });
    const failed = await post(proxy, url);
    expect(failed.headers.get(UPSTREAM_STATUS)).toBe('500');
    expect(await failed.text()).toBe('xxxxx');
    await (
      await upstream.call(0)
    ).closed;
  });

  it('[LIMIT-5] upstreamHeadersTimeoutMs leads to 504 and cancels the upstream request', async () => {
    const { proxy, upstream, url } = await begin({ upstreamHeadersTimeoutMs: 100 }, () => undefined);
    const late = await post(proxy, url);
    expect(late.status).toBe(504);
    expect(await codeOf(late)).toBe('UPSTREAM_TIMEOUT');
    await (
      await upstream.call(0)
    ).closed;
  });

  it('[READ-11] maxReadBytes splits reads, of which only the last is up to date', async () => {
    const { proxy, url } = await begin({ maxReadBytes: 4 }, ({ res }) => res.end('0123456789'));
    const location = locationOf(proxy, await post(proxy, url));
    await readSse(await fetch(withQuery(location, { live: 'sse' })));
    const seen: [string, boolean][] = [];
    for (let offset = '-1'; ;) {
      const read = await fetch(withQuery(location, { offset }));
      const closed = read.headers.get('stream-closed') === 'true';
      expect(read.headers.get('stream-up-to-date') === 'true').toBe(closed);
      seen.push([await read.text(), closed]);
      offset = read.headers.get(STREAM_NEXT_OFFSET)!;
      if (closed) break;
    }
    expect(seen).toEqual([
      ['0123', false],
      ['4567', false],
      ['89', true],
    ]);
  });

  it('[POLL-3] longPollTimeoutMs leads to 204 with the offset', async () => {
    const { proxy, url } = await begin({ longPollTimeoutMs: 50 }, ({ res }) =>
      res.writeHead(200).flushHeaders(),
    );
    const location = locationOf(proxy, await post(proxy, url));
    const waited = await fetch(withQuery(location, { live: 'long-poll' }));
    expect(waited.status).toBe(204);
    expect(waited.headers.get(STREAM_NEXT_OFFSET)).not.toBe('-1');
    expect(waited.headers.get('stream-up-to-date')).toBe('true');
    expect(waited.headers.get('stream-cursor')).toMatch(/^\d+$/);
  });

  it('[SSE-10] keepAliveMs sends comments to an idle live read', async () => {
    const { proxy, url } = await begin({ keepAliveMs: 20 }, ({ res }) => res.writeHead(200).flushHeaders());
    const location = locationOf(proxy, await post(proxy, url));
    const live = await fetch(withQuery(location, { live: 'sse' }));
    const reader = live.body!.getReader();
    let text = '';
    while (!text.includes(':\n\n:\n\n')) text += Buffer.from((await reader.read()).value!).toString();
    await reader.cancel();
  });

  it('[LIMIT-7][AUTH-6] urlExpirationSeconds expires the URL', async () => {
    const { proxy, url } = await begin({ urlExpirationSeconds: 5 }, echo);
    const location = locationOf(proxy, await post(proxy, url));
    expect((await fetch(location)).status).toBe(200);
    const expires = Number(new URL(location).searchParams.get('expires')) * 1_000;
    await expect.poll(() => Date.now() > expires + 1_000, { timeout: 15_000 }).toBe(true);
    const late = await fetch(location);
    expect(late.status).toBe(401);
    expect(await codeOf(late)).toBe('SIGNATURE_EXPIRED');
  });

  it('names of keys have at most 512 bytes', async () => {
    const { proxy, url } = await begin({}, echo);
    for (const name of [IDEMPOTENCY_KEY, STREAM_KEY]) {
      expect((await post(proxy, url, { headers: { [name]: 'k'.repeat(512) } })).status).toBe(201);
      const over = await post(proxy, url, { headers: { [name]: 'k'.repeat(513) } });
      expect(await codeOf(over)).toBe('INVALID_REQUEST');
    }
  });

  it('[ERR-6] maxHeaderSize is 64 KiB', async () => {
    const { proxy, url } = await begin({}, echo);
    expect((await post(proxy, url, { headers: { cookie: 'x'.repeat(64_000) } })).status).toBe(201);
    expect((await post(proxy, url, { headers: { cookie: 'x'.repeat(66_000) } })).status).toBe(431);
    expect((await post(proxy, url)).status).toBe(201);
  });

  it.each([3_000, 5_000, 1_000_000])(
    '[ERR-6] [ERR-9] headers of %i bytes over maxHeaderSize get a 431 that a page can read',
    async (bytes) => {
      const origin = 'https://chat.example.com';
      const options = { maxHeaderSize: 2_048, cors: { origin: [origin], credentials: true } };
      const { proxy, upstream, url } = await begin(options, echo);
      const over = await post(proxy, url, { headers: { origin, 'x-large': 'x'.repeat(bytes) } });
      expect(over.status).toBe(431);
      expect(over.headers.get('access-control-allow-origin')).toBe(origin);
      expect(over.headers.get('access-control-allow-credentials')).toBe('true');
      expect(over.headers.get('content-type')).toBe('application/json');
      expect(await codeOf(over)).toBe('REQUEST_HEADERS_TOO_LARGE');
      expect(upstream.calls).toHaveLength(0);
    },
  );

  it('[ERR-8] a body that ends before its Content-Length calls no upstream', async () => {
    const { proxy, upstream, url } = await begin({}, echo);
    const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
    socket.end(
      `POST /v1/proxy HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${SECRET}\r\nupstream-url: ${url}\r\n` +
        'upstream-method: POST\r\ncontent-length: 100\r\n\r\nshort',
    );
    socket.resume();
    await once(socket, 'close');
    expect((await post(proxy, url)).status).toBe(201);
    expect(upstream.calls).toHaveLength(1);
  });
});

describe('invalid options throw an error with a valid example', () => {
  const good: DurableProxyOptions = { jwtSecret: SECRET };
  it.each([
    [{ jwtSecret: '' }, /jwtSecret/],
    [{ ...good, allowlist: ['ftp://x'] }, /allowlist|pattern/i],
    [{ ...good, streamTtlSeconds: 0 }, /streamTtlSeconds must be a whole number/],
    [{ ...good, streamTtlSeconds: 1.5 }, /streamTtlSeconds/],
    [{ ...good, maxResponseBytes: -1 }, /maxResponseBytes/],
    [{ ...good, keepAliveMs: Infinity }, /keepAliveMs/],
    [{ ...good, publicUrl: '/v1/proxy' }, /publicUrl must be the absolute URL/],
    [{ ...good, durableStreamsUrl: 'http://x', dataDir: 'y' }, /one of store, durableStreamsUrl and dataDir/],
    [{ ...good, onEvent: 'no' as never }, /onEvent must be a function/],
    [undefined as never, /needs options/],
  ] as [DurableProxyOptions, RegExp][])('%j', (options, message) => {
    expect(() => durableProxy(options)).toThrow(message);
  });
});
