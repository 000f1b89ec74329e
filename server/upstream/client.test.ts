import { getEventListeners, once, type EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LookupFunction, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { ProxyError } from '../shared/errors.ts';
import type { UpstreamResponse, UpstreamClient, UpstreamRequest } from './client.ts';
import { rawStandIn, requestTo, standIn, testClient, type StandIn } from './stand-in.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function closing<T extends StandIn | UpstreamClient>(thing: T): T {
  closers.push(() => thing.close());
  return thing;
}

/** Unlike `once`, which rejects on errors. */
const closed = (emitter: EventEmitter) =>
  new Promise<void>((resolve) => emitter.once('close', () => resolve()));

const failure = (response: Promise<UpstreamResponse>): Promise<ProxyError> =>
  response.then(
    () => expect.fail('there was an answer'),
    (error: unknown) => error as ProxyError,
  );

/** An upstream that sends nothing until the test does. */
async function silentStandIn() {
  let asked!: (exchange: { req: IncomingMessage; res: ServerResponse }) => void;
  const exchange = new Promise<{ req: IncomingMessage; res: ServerResponse }>((resolve) => (asked = resolve));
  const upstream = closing(await standIn((req, res) => asked({ req, res })));
  return { upstream, exchange };
}

const resolvingTo =
  (...responses: string[][]): LookupFunction =>
  (_hostname, _options, callback) => {
    const addresses = responses.length > 1 ? responses.shift()! : responses[0]!;
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };

describe('a request', () => {
  it('is sent unchanged, with only the headers that HTTP requires', async () => {
    const { upstream, exchange } = await silentStandIn();
    const client = closing(testClient());
    const body = new TextEncoder().encode('padding{"a":"ü"}').subarray(7);
    const response = client.request(
      requestTo(new URL('/v1/x%2Fy?q=a%20b&r=\\', upstream.url), {
        method: 'PATCH',
        headers: [
          ['Content-Type', 'application/json'],
          ['X-Tag', 'a'],
          ['x-tag', 'b'],
          ['Authorization', 'Bearer é'],
        ],
        body,
      }),
    );
    const { req, res } = await exchange;
    expect(`${req.method} ${req.url} ${req.httpVersion}`).toBe('PATCH /v1/x%2Fy?q=a%20b&r=\\ 1.1');
    expect(req.rawHeaders).toEqual([
      ...['host', upstream.url.host, 'connection', 'keep-alive', 'Content-Type', 'application/json'],
      ...['X-Tag', 'a', 'x-tag', 'b', 'Authorization', 'Bearer é', 'content-length', '10'],
    ]);
    expect(await text(req)).toBe('{"a":"ü"}');
    res
      .writeHead(207, ['Content-Type', 'a/b; c', 'Content-Type', 'd/e', 'X-Tag', 'a', 'x-tag', 'b'])
      .end('done');
    const { status, headers, body: answered } = await response;
    expect(status).toBe(207);
    expect(headers).toMatchObject({ 'content-type': 'a/b; c', 'x-tag': 'a, b' });
    expect(await text(answered)).toBe('done');
  });

  it.each([301, 302, 307, 308, 304, 400, 404, 500])(
    'returns a %i unchanged and follows no redirect',
    async (status) => {
      let requests = 0;
      const upstream = closing(
        await standIn((_, res) => {
          requests += 1;
          res.writeHead(status, { Location: '/elsewhere' }).end();
        }),
      );
      const response = await closing(testClient()).request(requestTo(upstream.url));
      expect(response.status).toBe(status);
      expect(await text(response.body)).toBe('');
      expect(requests).toBe(1);
    },
  );

  it('ignores 1xx responses', async () => {
    const upstream = closing(
      await standIn((_, res) => {
        res.writeEarlyHints({ link: '</x>; rel=preload' });
        res.writeProcessing();
        res.end('x');
      }),
    );
    const response = await closing(testClient()).request(requestTo(upstream.url));
    expect([response.status, await text(response.body)]).toEqual([200, 'x']);
  });

  it('reuses connections, and opens as many as there are concurrent requests', async () => {
    const waiting: ServerResponse[] = [];
    let all!: () => void;
    const arrived = new Promise<void>((resolve) => (all = resolve));
    const upstream = closing(
      await standIn((req, res) => {
        if (req.url === '/one') return void res.end();
        if (waiting.push(res) === 100) all();
      }),
    );
    const client = closing(testClient());
    for (let i = 0; i < 10; i++) {
      const { body } = await client.request(requestTo(new URL('/one', upstream.url)));
      await text(body);
    }
    // A connection is free one event-loop turn after its response was read.
    expect(upstream.accepted()).toBeLessThanOrEqual(2);

    const responses = Array.from({ length: 100 }, () => client.request(requestTo(upstream.url)));
    await arrived;
    for (const res of waiting) res.end('x');
    expect(await Promise.all(responses.map(async (response) => text((await response).body)))).toEqual(
      Array(100).fill('x'),
    );
    await client.close();
    await upstream.idle();
  });
});

describe('private addresses', () => {
  const attempt = (client: UpstreamClient, url: string, options: Partial<UpstreamRequest> = {}) =>
    client.request(requestTo(new URL(url), { literalHost: false, ...options }));

  it('[URL-10] are rejected without a connection: as the only or one of several addresses of a name, or given literally', async () => {
    const upstream = closing(await standIn((_, res) => res.end()));
    const { port } = upstream.url;
    for (const addresses of [
      ['127.0.0.1'],
      ['93.184.216.34', '127.0.0.1'],
      ['::ffff:127.0.0.1'],
      ['::1', '127.0.0.1'],
    ]) {
      const client = closing(testClient({ lookup: resolvingTo(addresses) }));
      for (const scheme of ['http', 'https']) {
        const error = await failure(attempt(client, `${scheme}://rebind.example:${port}/secret?key=sk-1`));
        expect(error).toMatchObject({ name: 'ProxyError', code: 'UPSTREAM_NOT_ALLOWED', status: 403 });
        expect(error.message).toContain('rebind.example');
        expect(error.message).not.toMatch(/secret|sk-1|127\.0/);
      }
    }
    const client = closing(testClient());
    for (const host of ['127.0.0.1', '2130706433', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', 'localhost']) {
      const error = await failure(attempt(client, `http://${host}:${port}/`));
      expect(error).toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED' });
    }
    expect(upstream.accepted()).toBe(0);
  });

  it('[URL-10] are rejected if the address of a name becomes private between a lookup and the connection', async () => {
    const upstream = closing(await standIn((_, res) => res.end()));
    const lookup = resolvingTo(['93.184.216.34'], ['127.0.0.1']);
    // An earlier lookup of the name returns a public address.
    const [, found] = await new Promise<unknown[]>((resolve) =>
      lookup('h', { all: true }, (...args) => resolve(args)),
    );
    expect(found).toEqual([{ address: '93.184.216.34', family: 4 }]);
    const error = await failure(
      attempt(closing(testClient({ lookup })), `http://rebind.example:${upstream.url.port}/`),
    );
    expect(error).toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED' });
    expect(upstream.accepted()).toBe(0);
  });

  it('[URL-10] are allowed for a host that is named literally, or with allowPrivateNetworks', async () => {
    const upstream = closing(await standIn((_, res) => res.end('inside')));
    const named = `http://model.internal:${upstream.url.port}/`;
    const lookup = resolvingTo(['127.0.0.1']);
    const literal = await attempt(closing(testClient({ lookup })), named, { literalHost: true });
    expect(await text(literal.body)).toBe('inside');
    const client = closing(testClient({ lookup, allowPrivateNetworks: true }));
    expect(await text((await attempt(client, named)).body)).toBe('inside');
    expect(await text((await attempt(client, upstream.url.href)).body)).toBe('inside');
  });

  it('are not reached over a connection that was opened for a literal host', async () => {
    const upstream = closing(await standIn((_, res) => res.end('inside')));
    const client = closing(testClient({ lookup: resolvingTo(['127.0.0.1']) }));
    const named = `http://model.internal:${upstream.url.port}/`;
    await text((await attempt(client, named, { literalHost: true })).body);
    expect(await failure(attempt(client, named))).toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED' });
    expect(upstream.accepted()).toBe(1);
  });
});

describe('a request without a response', () => {
  const secretive = (url: URL) =>
    requestTo(new URL('/secret-path?key=sk-1', url), { headers: [['Authorization', 'sk-2']] });

  async function refusal(response: Promise<UpstreamResponse>, code: string, why: RegExp) {
    const error = await failure(response);
    expect(error).toBeInstanceOf(ProxyError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(why) as string });
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret|sk-|SSH/);
  }

  it('fails with UPSTREAM_ERROR, host and code if the connection is refused', async () => {
    const upstream = await standIn(() => undefined);
    await upstream.close();
    await refusal(
      closing(testClient()).request(secretive(upstream.url)),
      'UPSTREAM_ERROR',
      /127\.0\.0\.1:\d+ .*ECONNREFUSED/,
    );
  });

  it('fails with UPSTREAM_ERROR if the name does not resolve', async () => {
    const lookup: LookupFunction = (_, __, callback) =>
      callback(Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), []);
    for (const literalHost of [true, false]) {
      const request = { ...secretive(new URL('https://gone.example')), literalHost };
      await refusal(
        closing(testClient({ lookup })).request(request),
        'UPSTREAM_ERROR',
        /gone\.example .*ENOTFOUND/,
      );
    }
  });

  it('is UPSTREAM_ERROR when TLS fails', async () => {
    const upstream = closing(await rawStandIn((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    const url = new URL(upstream.url.href.replace('http:', 'https:'));
    await refusal(
      closing(testClient()).request(secretive(url)),
      'UPSTREAM_ERROR',
      /127\.0\.0\.1:\d+ .*(EPROTO|ERR_SSL)/,
    );
    await upstream.idle();
  });

  it.each([
    ['closes', 'UND_ERR_SOCKET', (socket: Socket) => socket.end()],
    ['resets', 'ECONNRESET|UND_ERR_SOCKET', (socket: Socket) => socket.resetAndDestroy()],
    ['speaks no HTTP', 'HTTPParserError', (socket: Socket) => socket.write('SSH-2.0-x\r\n')],
    ['stops within the headers', 'UND_ERR_SOCKET', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nX: ')],
    [
      'sends headers without end',
      'UND_ERR_HEADERS_OVERFLOW',
      (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`),
    ],
    [
      'switches protocols',
      'UND_ERR_SOCKET',
      (socket: Socket) =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    ],
  ])('is UPSTREAM_ERROR when the upstream %s', async (_, code, response) => {
    const upstream = closing(await rawStandIn(response));
    await refusal(closing(testClient()).request(secretive(upstream.url)), 'UPSTREAM_ERROR', new RegExp(code));
    await upstream.idle();
  });

  it('fails with UPSTREAM_TIMEOUT and closes the connection if the headers do not arrive in time', async () => {
    const { upstream, exchange } = await silentStandIn();
    const client = closing(testClient({ headersTimeoutMs: 50 }));
    const response = refusal(
      client.request(secretive(upstream.url)),
      'UPSTREAM_TIMEOUT',
      /127\.0\.0\.1:\d+ sent no headers within 50 ms/,
    );
    const { req } = await exchange;
    await Promise.all([response, closed(req)]);
    await upstream.idle();
  });

  it('fails with UPSTREAM_TIMEOUT while the name is being resolved, and removes its listener from the signal', async () => {
    const client = closing(testClient({ headersTimeoutMs: 50, lookup: () => undefined }));
    const { signal } = new AbortController();
    const request = { ...secretive(new URL('http://slow.example')), signal };
    await refusal(client.request(request), 'UPSTREAM_TIMEOUT', /slow\.example/);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('fails with SHUTTING_DOWN once the client is closed, even if it was in progress', async () => {
    const { upstream, exchange } = await silentStandIn();
    const client = testClient();
    const response = failure(client.request(secretive(upstream.url)));
    await exchange;
    await client.close();
    expect(await response).toMatchObject({
      code: 'SHUTTING_DOWN',
      status: 503,
      headers: { 'Retry-After': '1' },
    });
    expect(await failure(client.request(secretive(upstream.url)))).toMatchObject({ code: 'SHUTTING_DOWN' });
    await upstream.idle();
    await client.close();
  });

  it('opens no connection once the client is closed', async () => {
    const upstream = closing(await standIn((_, res) => res.end()));
    let connect!: () => void;
    let resolving!: () => void;
    const asked = new Promise<void>((resolve) => (resolving = resolve));
    const lookup: LookupFunction = (_, __, callback) => {
      connect = () => callback(null, [{ address: '127.0.0.1', family: 4 }]);
      resolving();
    };
    const client = closing(testClient({ lookup }));
    const url = new URL(`http://slow.example:${upstream.url.port}`);
    const response = failure(client.request(requestTo(url)));
    await asked;
    await client.close();
    expect(await response).toMatchObject({ code: 'SHUTTING_DOWN' });
    connect();
    // A connection opened after it would be accepted first.
    await text((await closing(testClient()).request(requestTo(upstream.url))).body);
    expect(upstream.accepted()).toBe(1);
  });
});

describe('the signal', () => {
  it('rejects with its reason before anything is sent', async () => {
    const upstream = closing(await standIn((_, res) => res.end()));
    const reason = new Error('not needed');
    const request = requestTo(upstream.url, { signal: AbortSignal.abort(reason) });
    await expect(closing(testClient()).request(request)).rejects.toBe(reason);
    expect(upstream.accepted()).toBe(0);
  });

  it('rejects at once while the name is being resolved', async () => {
    const stop = new AbortController();
    let resolving!: () => void;
    const asked = new Promise<void>((resolve) => (resolving = resolve));
    const client = closing(testClient({ lookup: () => resolving() }));
    const response = client.request(requestTo(new URL('http://slow.example'), { signal: stop.signal }));
    await asked;
    stop.abort('a reason that is no error');
    await expect(response).rejects.toBe('a reason that is no error');
  });

  it('sends nothing if it aborts before the connection is open', async () => {
    const requested: (string | undefined)[] = [];
    const upstream = closing(
      await standIn((req, res) => {
        requested.push(req.url);
        res.end();
      }),
    );
    let connect: (() => void) | undefined;
    let resolving!: () => void;
    const asked = new Promise<void>((resolve) => (resolving = resolve));
    const lookup: LookupFunction = (_, __, callback) => {
      const response = () => callback(null, [{ address: '127.0.0.1', family: 4 }]);
      if (connect) return response();
      connect = response;
      resolving();
    };
    const client = closing(testClient({ lookup }));
    const url = (path: string) => new URL(path, `http://slow.example:${upstream.url.port}`);
    const stop = new AbortController();
    const response = client.request(requestTo(url('/stopped'), { signal: stop.signal }));
    await asked;
    stop.abort();
    await expect(response).rejects.toBe(stop.signal.reason);
    connect?.();
    await upstream.connected();
    await text((await client.request(requestTo(url('/next')))).body);
    expect(requested).toEqual(['/next']);
    await client.close();
    await upstream.idle();
  });

  it('closes the connection while waiting for the headers', async () => {
    const { upstream, exchange } = await silentStandIn();
    const stop = new AbortController();
    const response = closing(testClient()).request(requestTo(upstream.url, { signal: stop.signal }));
    const { req } = await exchange;
    stop.abort();
    await expect(response).rejects.toBe(stop.signal.reason);
    await closed(req);
    await upstream.idle();
  });

  it('fails the body with its reason after the received bytes, and closes the connection', async () => {
    const { upstream, exchange } = await silentStandIn();
    const stop = new AbortController();
    const asked = closing(testClient()).request(requestTo(upstream.url, { signal: stop.signal }));
    const { res } = await exchange;
    res.write('first');
    const { body } = await asked;
    await once(body, 'readable');
    stop.abort(new Error('stopped'));
    const got: string[] = [];
    await expect(
      (async () => {
        for await (const chunk of body) got.push(String(chunk));
      })(),
    ).rejects.toThrow('stopped');
    expect(got).toEqual(['first']);
    await upstream.idle();
  });

  it('has no listener left after a response has ended or a request has failed', async () => {
    const { upstream, exchange } = await silentStandIn();
    const client = closing(testClient());
    const { signal } = new AbortController();
    const asked = client.request(requestTo(upstream.url, { signal }));
    const { res } = await exchange;
    res.write('x');
    const { body } = await asked;
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    res.end();
    await text(body);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);

    await upstream.close();
    await failure(client.request(requestTo(upstream.url, { signal })));
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });
});
