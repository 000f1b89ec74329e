import type { LookupFunction } from 'node:net';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { Agent, ProxyAgent, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import {
  startForwardProxy,
  type ForwardProxy,
  type ForwardProxyOptions,
} from '../../tests/support/forward-proxy.ts';
import type { UpstreamClient, UpstreamClientOptions, UpstreamRequest } from './client.ts';
import { forwardProxies } from './forward-proxy.ts';
import { rawStandIn, requestTo, standIn, testClient } from './stand-in.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
function closing<T extends { close: () => Promise<void> }>(thing: T): T {
  closers.push(() => thing.close());
  return thing;
}

/** A provider, and a proxy that leads every name to it. */
async function network(options: Partial<ForwardProxyOptions> = {}) {
  const upstream = closing(await standIn((req, res) => res.end(`${req.headers.host}${req.url}`)));
  const port = Number(upstream.url.port);
  const proxy = closing(await startForwardProxy({ route: () => ({ port }), ...options }));
  return { upstream, proxy };
}

const through = (
  proxy: ForwardProxy,
  options: Partial<UpstreamClientOptions> = {},
  env: NodeJS.ProcessEnv = {},
) => closing(testClient({ proxies: forwardProxies({ HTTP_PROXY: proxy.url, ...env }), ...options }));

const resolvingTo =
  (...addresses: string[]): LookupFunction =>
  (_hostname, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
const resolvesNothing: LookupFunction = (hostname, _options, callback) =>
  callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' }), []);

const get = async (client: UpstreamClient, url: string, options: Partial<UpstreamRequest> = {}) =>
  text((await client.request(requestTo(new URL(url), options))).body);
const wildcard = { literalHost: false };

describe('a forward proxy', () => {
  it('gets the name of a host that the allowlist names, which need not resolve here', async () => {
    const { proxy } = await network();
    const client = through(proxy, { lookup: resolvesNothing });
    expect(await get(client, 'http://api.example.com/v1?a=b')).toBe('api.example.com/v1?a=b');
    expect(proxy.connects).toEqual(['api.example.com:80']);
  });

  it('[URL-10] gets the checked address of a host that only a wildcard names, so that it resolves nothing', async () => {
    const { proxy } = await network();
    const client = through(proxy, { lookup: resolvingTo('2606:2800:220:1::1', '93.184.216.34') });
    expect(await get(client, 'http://eu.example.com:8080/v1', wildcard)).toBe('eu.example.com:8080/v1');
    expect(proxy.connects).toEqual(['93.184.216.34:8080']);
    expect(proxy.requests[0]?.headers.host).toBe('93.184.216.34:8080');
  });

  it('[URL-10] is not asked for a host that resolves to a private address, or not at all', async () => {
    const { proxy } = await network();
    const attempt = (lookup: LookupFunction, url: string) => get(through(proxy, { lookup }), url, wildcard);
    const refused = { code: 'UPSTREAM_NOT_ALLOWED' };
    for (const scheme of ['http', 'https']) {
      const url = `${scheme}://rebind.example/`;
      await expect(attempt(resolvingTo('169.254.169.254'), url)).rejects.toMatchObject(refused);
      await expect(attempt(resolvingTo('93.184.216.34', '10.0.0.1'), url)).rejects.toMatchObject(refused);
      await expect(attempt(resolvesNothing, url)).rejects.toMatchObject({
        code: 'UPSTREAM_ERROR',
        message: expect.stringMatching(
          /does not resolve on this machine \(ENOTFOUND\).*without a wildcard/,
        ) as string,
      });
    }
    await expect(attempt(resolvingTo('93.184.216.34'), 'http://10.0.0.1/')).rejects.toMatchObject(refused);
    expect(proxy.connects).toEqual([]);
  });

  it('gets every name if the operator allows private networks', async () => {
    const { proxy } = await network();
    const client = through(proxy, { lookup: resolvingTo('10.0.0.1'), allowPrivateNetworks: true });
    expect(await get(client, 'http://eu.example.com/', wildcard)).toBe('eu.example.com/');
    expect(proxy.connects).toEqual(['eu.example.com:80']);
  });

  it('gets its credentials and none of the request, whose repeated headers stay', async () => {
    const received: string[][] = [];
    const upstream = closing(
      await standIn((req, res) => {
        received.push(req.rawHeaders);
        res.end();
      }),
    );
    const { proxy } = await network({ route: () => ({ port: Number(upstream.url.port) }) });
    const HTTP_PROXY = `http://user:p%40ss@${new URL(proxy.url).host}`;
    const headers = [
      ['X-Tag', 'a'],
      ['X-Tag', 'b'],
      ['Authorization', 'Bearer sk-1'],
    ] as const;
    await get(through(proxy, {}, { HTTP_PROXY }), 'http://api.example.com/', { headers });
    expect(proxy.requests[0]?.headers['proxy-authorization']).toBe(`Basic ${btoa('user:p@ss')}`);
    expect(proxy.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(received[0]?.join()).toContain('X-Tag,a,X-Tag,b,Authorization,Bearer sk-1');
    expect(received[0]?.join()).not.toMatch(/proxy-authorization/i);
  });

  it('opens as many tunnels as there are requests, and keeps them for the next ones', async () => {
    const { proxy } = await network();
    const client = through(proxy);
    await Promise.all(Array.from({ length: 50 }, () => get(client, 'http://api.example.com/')));
    const opened = proxy.connects.length;
    await get(client, 'http://api.example.com/');
    expect(proxy.connects).toHaveLength(opened);
  });

  it.each([
    ['api.example.com', 'http://api.example.com/', false],
    ['example.com', 'http://api.example.com/', false],
    ['.example.com', 'http://api.example.com/', false],
    ['*.example.com other', 'http://api.example.com/', false],
    ['other,api.example.com:81', 'http://api.example.com/', true],
    ['ple.com', 'http://api.example.com/', true],
    ['*', 'http://api.example.com/', false],
    ['', 'http://localhost/', false],
    ['', 'http://127.0.0.1/', false],
  ])('with NO_PROXY=%s and %s is asked: %s', async (NO_PROXY, url, isAsked) => {
    const { proxy, upstream } = await network();
    const target = new URL(url);
    // A request without the proxy reaches the provider by its port.
    if (!isAsked) target.port = upstream.url.port;
    const client = through(proxy, { lookup: resolvingTo('127.0.0.1') }, { NO_PROXY });
    expect(await get(client, target.href)).toBe(`${target.host}/`);
    expect(proxy.connects).toHaveLength(isAsked ? 1 : 0);
  });

  it('[URL-10] does not lift the check of hosts that NO_PROXY names', async () => {
    const { proxy, upstream } = await network();
    const client = through(proxy, { lookup: resolvingTo('127.0.0.1') }, { NO_PROXY: 'example.com' });
    const url = `http://rebind.example.com:${upstream.url.port}/`;
    await expect(get(client, url, wildcard)).rejects.toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED' });
    expect(upstream.accepted()).toBe(0);
  });
});

describe('a forward proxy that fails', () => {
  const SECRET_ENV = (proxy: { url: string }) => ({
    HTTP_PROXY: `http://user-1:pass-1@${new URL(proxy.url).host}`,
  });

  async function failure(client: UpstreamClient, url = 'http://api.example.com/v1?key=sk-1') {
    const error = await get(client, url).then(
      () => expect.fail('there was an answer'),
      (reason: unknown) => reason as Error & { code: string },
    );
    expect(inspect(error, { depth: 9 })).not.toMatch(/user-1|pass-1|sk-1|Basic/);
    // The caller sees the message only.
    expect(error.message).not.toMatch(/127\.0\.0\.1/);
    return error;
  }

  it('is reported if nobody listens', async () => {
    const { proxy } = await network();
    await proxy.close();
    closers.pop();
    const client = closing(testClient({ proxies: forwardProxies(SECRET_ENV(proxy)) }));
    for (const url of ['http://api.example.com/', 'https://api.example.com/']) {
      const error = await failure(client, url);
      expect(error.code).toBe('UPSTREAM_ERROR');
      expect(error.message).toMatch(
        /^The forward proxy cannot be reached, .*api\.example\.com.* \(ECONNREFUSED\)$/,
      );
    }
  });

  it.each([407, 403, 502])('is reported with its status %i', async (status) => {
    const { proxy } = await network({ route: () => ({ status }) });
    const error = await failure(through(proxy, {}, SECRET_ENV(proxy)));
    expect(error.code).toBe('UPSTREAM_ERROR');
    expect(error.message).toBe(`The forward proxy refused to connect to api.example.com:80 (${status})`);
  });

  it('is reported if it closes the connection, after one attempt', async () => {
    const proxy = closing(await rawStandIn((socket) => socket.end()));
    const error = await failure(
      closing(testClient({ proxies: forwardProxies({ HTTP_PROXY: proxy.url.href }) })),
    );
    expect(error).toMatchObject({
      code: 'UPSTREAM_ERROR',
      message: expect.stringMatching(/UND_ERR_SOCKET/) as string,
    });
    expect(proxy.accepted()).toBe(1);
  });

  it('is reported in time if it never answers', async () => {
    const { proxy } = await network({ answers: false });
    const error = await failure(through(proxy, { headersTimeoutMs: 1_000 }));
    expect(error.code).toBe('UPSTREAM_TIMEOUT');
  });

  it('ends its requests when the client is closed', async () => {
    const { proxy } = await network({ answers: false });
    const client = testClient({ proxies: forwardProxies({ HTTP_PROXY: proxy.url }) });
    const answer = failure(client);
    await expect.poll(() => proxy.connects.length).toBe(1);
    await client.close();
    expect((await answer).code).toBe('SHUTTING_DOWN');
  });
});

describe('forwardProxies', () => {
  it('prefers variables in lower case, and accepts a host without a scheme', () => {
    expect(forwardProxies({})).toBeUndefined();
    expect(forwardProxies({ NO_PROXY: 'a' })).toBeUndefined();
    expect(forwardProxies({ HTTPS_PROXY: 'http://a', https_proxy: 'b.example:3128' })).toMatchObject({
      httpsProxy: 'http://b.example:3128/',
      httpProxy: '',
    });
  });

  it.each([
    'http://',
    'socks5://user-1:pass-1@a',
    'http://user-1:pass-1@a b',
    'http://user-1:pass-1%zz@a',
    'ftp://a',
  ])('refuses %s without showing it', (HTTPS_PROXY) => {
    expect(() => forwardProxies({ HTTPS_PROXY })).toThrow(
      expect.objectContaining({
        name: 'ConfigurationError',
        message: expect.not.stringMatching(/user-1|pass-1/) as unknown as string,
      }),
    );
  });
});

describe('a dispatcher of the operator', () => {
  it('gets the requests, and is not closed with the client', async () => {
    const { proxy } = await network();
    const dispatcher = closing(new ProxyAgent(proxy.url));
    const client = testClient({ dispatcher, lookup: resolvesNothing });
    expect(await get(client, 'http://api.example.com/v1')).toBe('api.example.com/v1');
    expect(proxy.connects).toEqual(['api.example.com:80']);
    await client.close();
    const { body } = await request('http://api.example.com/', { dispatcher });
    expect(await body.text()).toBe('api.example.com/');
    await expect(get(client, 'http://api.example.com/')).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
  });

  it('[URL-10] gets the checked address of a host that only a wildcard names', async () => {
    const { proxy } = await network();
    const dispatcher = closing(new ProxyAgent(proxy.url));
    const client = closing(testClient({ dispatcher, lookup: resolvingTo('93.184.216.34') }));
    expect(await get(client, 'http://eu.example.com:8080/v1', wildcard)).toBe('eu.example.com:8080/v1');
    expect(proxy.connects).toEqual(['93.184.216.34:8080']);
  });

  it('[URL-10] gets nothing for a host with a private address', async () => {
    const { upstream } = await network();
    const dispatcher = closing(new Agent());
    const client = closing(testClient({ dispatcher, lookup: resolvingTo('127.0.0.1') }));
    const url = `http://rebind.example:${upstream.url.port}/`;
    await expect(get(client, url, wildcard)).rejects.toMatchObject({ code: 'UPSTREAM_NOT_ALLOWED' });
    await expect(get(client, 'http://127.0.0.1/', wildcard)).rejects.toMatchObject({
      code: 'UPSTREAM_NOT_ALLOWED',
    });
    expect(upstream.accepted()).toBe(0);
  });

  it('ends its requests when the client is closed', async () => {
    const upstream = closing(await standIn((_req, res) => void res.write('first')));
    const client = testClient({ dispatcher: closing(new Agent()) });
    const { body } = await client.request(requestTo(upstream.url));
    const ended = text(body);
    await client.close();
    await expect(ended).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    await upstream.idle();
  });
});
