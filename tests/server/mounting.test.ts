import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import middie from '@fastify/middie';
import compression from 'compression';
import connect from 'connect';
import express5 from 'express';
// @ts-expect-error -- an alias of express 4, which has no types under that name
import express4 from 'express4';
import { fastify } from 'fastify';
import helmet from 'helmet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  durableProxy,
  embeddedStore,
  type DurableProxyOptions,
  type DurableProxyRouter,
} from '../../server/index.ts';
import { createRouter, SECRET, temporaryFolder } from '../support/proxy.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function proxyOf(options: Partial<DurableProxyOptions> = {}): Promise<DurableProxyRouter> {
  const { proxy, close } = await createRouter(options);
  cleanups.push(close);
  return proxy;
}

async function listen(app: RequestListener): Promise<string> {
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function upstreamOf(...[handler]: Parameters<typeof startUpstream>): Promise<Upstream> {
  const upstream = await startUpstream(handler);
  cleanups.push(() => upstream.close());
  return upstream;
}

/** Creates a stream and returns what was read from its Location. */
async function roundTrip(origin: string, mount: string, body?: string, headers: Record<string, string> = {}) {
  const upstream = await upstreamOf(({ res, body: got }) => res.end(`got ${got.toString()}`));
  const at = { base: origin + mount, url: origin };
  const created = await post(at, `${upstream.url}/x`, { ...(body !== undefined && { body }), headers });
  expect(created.status).toBe(201);
  expect(created.headers.get('location')).toMatch(new RegExp(`^${mount}/[0-9a-f-]{36}\\?`));
  return (await readSse(await fetch(withQuery(locationOf(at, created), { live: 'sse' })))).bytes.toString();
}

describe.each([
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
])('%s', (_name, express) => {
  it('mounts under any prefix, which Location contains', async () => {
    const app = express();
    app.use('/deep/down/ai', await proxyOf());
    expect(await roundTrip(await listen(app), '/deep/down/ai', 'it')).toBe('got it');
  });

  it('mounts in a sub-app', async () => {
    const app = express();
    const sub = express();
    sub.use('/v1/proxy', await proxyOf());
    app.use('/api', sub);
    expect(await roundTrip(await listen(app), '/api/v1/proxy', 'it')).toBe('got it');
  });

  it('mounts at the root', async () => {
    const app = express();
    app.use(await proxyOf());
    expect(await roundTrip(await listen(app), '', 'it')).toBe('got it');
  });

  const TYPES = {
    json: 'application/json',
    form: 'application/x-www-form-urlencoded',
    text: 'text/plain',
    raw: 'application/octet-stream',
    other: 'application/other',
  };
  /** Bodies that change if they are parsed and serialized again. */
  const EXACT: [string, string][] = [
    [TYPES.json, '{ "id": 9007199254740993, "x": "\\u00fc", "x": 1.0 }'],
    [TYPES.json, '[1e3,-0]'],
    [TYPES.form, 'a=%20&a=+&b[c]=%C3%BC'],
  ];

  it('[FWD-8] forwards the exact bytes after express.text(), express.raw() and parsers with rawBody', async () => {
    const verify = (req: object, _res: object, bytes: Buffer): void => {
      Object.assign(req, { rawBody: bytes });
    };
    const app = express();
    app.use(
      express.json({ verify }),
      express.urlencoded({ extended: true, verify }),
      express.text(),
      express.raw(),
    );
    app.use('/p', await proxyOf());
    const origin = await listen(app);
    const kept: [string, string][] = [
      [TYPES.text, 'plain ü'],
      [TYPES.raw, 'raw'],
      [TYPES.other, 'untouched'],
    ];
    for (const [type, body] of [...EXACT, ...kept]) {
      expect(await roundTrip(origin, '/p', body, { 'content-type': type })).toBe(`got ${body}`);
    }
    for (const type of Object.values(TYPES)) {
      expect(await roundTrip(origin, '/p', undefined, { 'content-type': type })).toBe('got ');
    }
  });

  it('[FWD-8] rejects a body whose bytes an earlier parser has lost, and explains how to mount', async () => {
    const app = express();
    app.use(
      express.json({ strict: false }),
      express.urlencoded({ extended: true }),
      express.text(),
      express.raw(),
    );
    app.use('/p', await proxyOf());
    const at = { base: `${await listen(app)}/p` };
    const upstream = await upstreamOf(({ res }) => res.end());
    const zipped = { 'content-encoding': 'gzip' };
    const lost: [string, string | Uint8Array, Record<string, string>?][] = [
      ...EXACT,
      [TYPES.json, 'null'],
      [TYPES.text, '\uFEFFwith a byte order mark'],
      [TYPES.text, Uint8Array.of(0xf0, 0x9f, 0x98)],
      [`${TYPES.text}; charset=iso-8859-1`, Uint8Array.of(0xfc)],
      [TYPES.json, gzipSync('{"a":1}'), zipped],
      [TYPES.raw, gzipSync('raw'), zipped],
    ];
    for (const [type, body, headers] of lost) {
      const refused = await post(at, `${upstream.url}/x`, {
        body: body as BodyInit,
        headers: { 'content-type': type, ...headers },
      });
      const { error } = (await refused.json()) as { error: { code: string; message: string } };
      expect({ status: refused.status, code: error.code }).toEqual({ status: 400, code: 'INVALID_REQUEST' });
      expect(error.message).toContain('Mount durableProxy before express.json()');
    }
    expect(upstream.calls).toHaveLength(0);
  });

  it('works before express.json()', async () => {
    const app = express();
    app.use('/p', await proxyOf());
    app.use(express.json());
    expect(await roundTrip(await listen(app), '/p', '{"a":1}', { 'content-type': 'application/json' })).toBe(
      'got {"a":1}',
    );
  });

  it('neither buffers nor compresses a live read after compression() and helmet()', async () => {
    const app = express();
    app.use(compression({ threshold: 0 }), helmet());
    app.use('/p', await proxyOf());
    const origin = await listen(app);
    const upstream = await upstreamOf(({ res }) => void write(res, 'first'));
    const at = { base: `${origin}/p`, url: origin };
    const created = await post(at, `${upstream.url}/x`);
    const live = await fetch(withQuery(locationOf(at, created), { live: 'sse' }), {
      headers: { 'accept-encoding': 'gzip' },
    });
    expect(live.headers.get('content-encoding')).toBeNull();
    // The upstream never ends, so this returns only if the first bytes are not buffered.
    const { bytes } = await readSse(live, (read) => read.bytes.length > 0);
    expect(bytes.toString()).toBe('first');
  });

  it('[CREATE-14] builds Location from the mount with trust proxy, never from Host or X-Forwarded headers', async () => {
    const app = express();
    app.set('trust proxy', true);
    app.use('/p', await proxyOf());
    const origin = await listen(app);
    expect(
      await roundTrip(origin, '/p', 'it', {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
      }),
    ).toBe('got it');
  });
});

describe('without Express', () => {
  const warnings: string[] = [];
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (_fields: object, message: string) => void warnings.push(message),
  };
  beforeEach(() => void warnings.splice(0));

  it.each(['/v1/proxy', '/'])('@fastify/middie at %s: Location has the path of the mount', async (mount) => {
    const app = fastify();
    await app.register(middie);
    app.use(mount, (await proxyOf({ logger })) as never);
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    cleanups.push(() => app.close());
    expect(await roundTrip(origin, mount === '/' ? '' : mount, 'it')).toBe('got it');
    expect(warnings).toEqual([]);
  });

  it.each(['/v1/proxy', '/'])('connect at %s: Location has the path of the mount', async (mount) => {
    const app = connect().use(mount, await proxyOf({ logger }));
    expect(await roundTrip(await listen(app), mount === '/' ? '' : mount, 'it')).toBe('got it');
    expect(warnings).toEqual([]);
  });

  const routed = (proxy: DurableProxyRouter, mount: string): RequestListener => {
    return (req, res) => {
      if (!req.url?.startsWith(mount)) return void res.writeHead(404).end();
      req.url = req.url.slice(mount.length).replace(/^(?!\/)/, '/');
      proxy(req, res);
    };
  };

  it.each(['/v1/proxy', '/v1/proxy/'])('node:http: Location has basePath %s', async (basePath) => {
    const origin = await listen(routed(await proxyOf({ logger, basePath }), '/v1/proxy'));
    expect(await roundTrip(origin, '/v1/proxy', 'it')).toBe('got it');
    expect(warnings).toEqual([]);
  });

  it('node:http at the root: basePath is /', async () => {
    expect(await roundTrip(await listen(await proxyOf({ logger, basePath: '/' })), '', 'it')).toBe('got it');
    expect(warnings).toEqual([]);
  });

  it('node:http without basePath: warns once that Location lacks the path of the mount', async () => {
    const origin = await listen(routed(await proxyOf({ logger }), '/v1/proxy'));
    const upstream = await upstreamOf(({ res }) => res.end());
    for (let n = 0; n < 2; n++) {
      const created = await post({ base: `${origin}/v1/proxy` }, `${upstream.url}/x`);
      expect(created.headers.get('location')).toMatch(/^\/[0-9a-f-]{36}\?/);
    }
    expect(warnings).toEqual([expect.stringContaining('Set basePath to the path')]);
  });

  it('responds 500 and logs if a CORS function throws or fails', async () => {
    const cause = new Error('no origins today');
    for (const origin of [
      () => {
        throw cause;
      },
      (_origin: string | undefined, done: (error: Error) => void) => void setImmediate(done, cause),
    ]) {
      const at = { base: await listen(await proxyOf({ logger, basePath: '/', cors: { origin } })) };
      expect((await post(at, 'http://127.0.0.1:1/x')).status).toBe(500);
    }
    expect(warnings).toHaveLength(2);
  });
});

it('starts Location with basePath, also in an app that provides its mount', async () => {
  const app = express5();
  app.use('/p', await proxyOf({ basePath: '/chat/p' }));
  const origin = await listen(app);
  const upstream = await upstreamOf(({ res }) => res.end());
  const created = await post({ base: `${origin}/p` }, `${upstream.url}/x`);
  expect(created.headers.get('location')).toMatch(/^\/chat\/p\/[0-9a-f-]{36}\?/);
});

it.each(['v1/proxy', '//evil.example', '/p?x', 'https://chat.example.com/p', ''])(
  'rejects %j as basePath',
  async (basePath) => {
    expect(() => durableProxy({ jwtSecret: SECRET, basePath })).toThrow(/basePath must be the path/);
  },
);

it('starts Location with publicUrl', async () => {
  const app = express5();
  app.use('/p', await proxyOf({ publicUrl: 'https://chat.example.com/ai/' }));
  const origin = await listen(app);
  const upstream = await upstreamOf(({ res }) => res.end());
  const created = await post({ base: `${origin}/p` }, `${upstream.url}/x`);
  expect(created.headers.get('location')).toMatch(/^https:\/\/chat\.example\.com\/ai\/[0-9a-f-]{36}\?/);
});

it('keeps two proxies in one app separate, also on one store', async () => {
  const folder = await temporaryFolder();
  const store = embeddedStore({ dataDir: folder.path });
  cleanups.push(
    () => folder.remove(),
    () => store.dispose(),
  );
  const app = express5();
  app.use('/one', await proxyOf({ store }));
  app.use('/two', await proxyOf({ store, jwtSecret: 'another-secret-altogether', allowlist: [] }));
  const origin = await listen(app);
  expect(await roundTrip(origin, '/one', 'it')).toBe('got it');
  const upstream = await upstreamOf(({ res }) => res.end());
  expect((await post({ base: `${origin}/two` }, `${upstream.url}/x`)).status).toBe(401);
});
