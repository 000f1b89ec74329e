import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  IDEMPOTENCY_KEY,
  STREAM_KEY,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../../protocol/headers.ts';
import {
  createServiceToken,
  type Logger,
  type ProxyEvent,
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
  return { proxy, upstream, url: `${upstream.url}/v1/answer?token=in-the-query` };
}

describe('onEvent', () => {
  it('emits the events of a stream in order, with their measurements', async () => {
    const events: ProxyEvent[] = [];
    const { proxy, url } = await begin({ onEvent: (event) => events.push(event) }, ({ res }) =>
      res.end('five!'),
    );
    const headers = { [IDEMPOTENCY_KEY]: 'k' };
    const created = await post(proxy, url, { headers });
    const location = locationOf(proxy, created);
    await readSse(await fetch(withQuery(location, { live: 'sse' })));
    await fetch(location);
    await post(proxy, url, { headers });
    await expect.poll(() => events.filter(({ type }) => type === 'read-ended')).toHaveLength(2);
    expect(events.map(({ type }) => type).filter((type) => !type.startsWith('read'))).toEqual([
      'created',
      'first-byte',
      'closed',
      'replayed',
    ]);
    expect(events.find(({ type }) => type === 'closed')).toMatchObject({ outcome: 'complete', bytes: 5 });
    const ended = events.filter((event) => event.type === 'read-ended');
    expect(ended).toMatchObject([
      { mode: 'sse', bytes: 5 },
      { mode: 'catch-up', bytes: 5 },
    ]);
  });

  it('emits refusals with their code, and how a stream was stopped', async () => {
    const events: ProxyEvent[] = [];
    const { proxy, url } = await begin(
      { onEvent: (event) => events.push(event) },
      ({ res }) => void write(res, 'x'),
    );
    await fetch(proxy.base, { method: 'POST' });
    const location = locationOf(proxy, await post(proxy, url));
    await fetch(withQuery(location, { action: 'abort' }), { method: 'PATCH' });
    expect(events).toContainEqual({ type: 'refused', code: 'MISSING_SECRET', status: 401, method: 'POST' });
    expect(events).toContainEqual(expect.objectContaining({ type: 'aborted', by: 'patch' }));
  });

  it.each(['onEvent', 'onAppend'])('does not affect streams if %s throws', async (name) => {
    const listener = () => {
      throw new Error('an exception of the listener');
    };
    const { proxy, url } = await begin({ [name]: listener }, ({ res }) => res.end('fine'));
    const location = locationOf(proxy, await post(proxy, url));
    const { bytes, controls } = await readSse(await fetch(withQuery(location, { live: 'sse' })));
    expect([bytes.toString(), controls.at(-1)?.upstreamOutcome]).toEqual(['fine', 'complete']);
  });
});

describe('a logger and an onEvent that fail', () => {
  const bug = new Error('an exception of the logger');
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  beforeEach(() => {
    rejections.length = 0;
    process.on('unhandledRejection', onRejection);
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
  });
  afterEach(() => {
    process.off('unhandledRejection', onRejection);
    vi.restoreAllMocks();
  });

  it.each<[how: string, fail: () => never | Promise<never>]>([
    [
      'by an exception',
      () => {
        throw bug;
      },
    ],
    ['by a rejected promise', () => Promise.reject(bug)],
  ])('disturb no create, stream, read, abort or error %s, and are reported', async (_how, fail) => {
    const failing = fail as () => never;
    const logger: Logger = { debug: failing, info: failing, warn: failing, error: failing };
    const { proxy, upstream, url } = await begin({ logger, onEvent: failing }, ({ req, res }) => {
      if (req.method === 'PUT') res.writeHead(500).end();
      else void write(res, 'half');
    });
    const headers = { [IDEMPOTENCY_KEY]: 'key', [STREAM_KEY]: 'name' };
    const location = locationOf(proxy, await post(proxy, url, { headers }));
    expect((await post(proxy, url, { headers })).status).toBe(200);
    const live = fetch(withQuery(location, { live: 'sse' }));
    (await upstream.call(0)).res.end(' and half');
    expect((await readSse(await live)).bytes.toString()).toBe('half and half');
    const failed = await post(proxy, url, { headers: { [UPSTREAM_METHOD]: 'PUT' } });
    expect(failed.status).toBe(502);
    const other = locationOf(proxy, await post(proxy, url));
    expect((await fetch(withQuery(other, { action: 'abort' }), { method: 'PATCH' })).status).toBe(204);
    await upstream.calls.at(-1)!.closed;
    // An unhandled rejection is reported after the microtasks of its turn.
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejections).toEqual([]);
    expect(vi.mocked(console.error).mock.calls.join('\n')).toContain(bug.message);
  });
});

it('no secret, token, signature, provider key, query or body is logged, emitted or part of an error', async () => {
  const output: unknown[] = [];
  const log = (fields: object, message: string): void => void output.push(inspect(fields), message);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const { proxy, upstream, url } = await begin(
    {
      logger,
      onEvent: (event) => output.push(inspect(event)),
      upstreamHeadersTimeoutMs: 200,
      allowlist: ['http://127.0.0.1:*/**', 'http://localhost:1/**'],
    },
    ({ req, res }) => {
      if (req.url?.startsWith('/v1/reset')) res.socket!.resetAndDestroy();
      else if (!req.url?.startsWith('/v1/silent')) res.writeHead(500).end('sorry');
    },
  );
  const token = await createServiceToken({ jwtSecret: SECRET, subject: 'ann', expiresInSeconds: 60 });
  const secrets = [SECRET, token, 'sk-provider', 'in-the-query', 'in-the-body', 'a-signature'];
  const bodies: string[] = [];
  const attempt = async (target: string, init: RequestInit) =>
    bodies.push(await (await fetch(target, init)).text());
  const headers = (upstreamUrl: string, authorization = `Bearer ${token}`) => ({
    authorization,
    [UPSTREAM_URL]: upstreamUrl,
    [UPSTREAM_METHOD]: 'POST',
    [UPSTREAM_AUTHORIZATION]: 'Bearer sk-provider',
  });
  const request = { method: 'POST', body: 'in-the-body' };
  await attempt(proxy.base, { ...request, headers: headers(url) });
  await attempt(proxy.base, { ...request, headers: headers(url.replace('/answer', '/reset')) });
  await attempt(proxy.base, { ...request, headers: headers(url.replace('/answer', '/silent')) });
  await attempt(proxy.base, { ...request, headers: headers('http://localhost:1/v1?token=in-the-query') });
  await attempt(proxy.base, {
    ...request,
    headers: headers('https://elsewhere.example/?token=in-the-query'),
  });
  await attempt(proxy.base, { ...request, headers: headers(url, `Bearer ${token.slice(0, -3)}abc`) });
  await attempt(`${proxy.base}?secret=${SECRET}x`, request);
  await attempt(`${proxy.base}/${crypto.randomUUID()}?expires=1&signature=a-signature`, {});
  expect(upstream.calls.length).toBeGreaterThanOrEqual(3);
  const everything = [...output, ...bodies].join('\n');
  expect(everything).toMatch(/UPSTREAM_TIMEOUT/);
  for (const secret of [...secrets, token.slice(0, 40)]) expect(everything).not.toContain(secret);
});

/** Formats values, including errors with their causes, like a logger. */
function inspect(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) =>
    each instanceof Error ? { ...each, text: each.message, stack: each.stack, reason: each.cause } : each,
  );
}

describe('a subject and its streams', () => {
  const bearer = async (subject: string, allow?: string[]) => ({
    authorization: `Bearer ${await createServiceToken({ jwtSecret: SECRET, subject, expiresInSeconds: 60, ...(allow && { allow }) })}`,
  });

  it('has access to its own streams only, and the secret to all', async () => {
    const { proxy, url } = await begin({}, ({ res }) => res.end('mine'));
    const ann = await bearer('ann');
    const ben = await bearer('ben');
    const created = await post(proxy, url, { headers: { ...ann, 'stream-key': 'chat' } });
    const path = locationOf(proxy, created).split('?')[0]!;
    const statuses = async (headers: Record<string, string>) => [
      (await fetch(path, { headers })).status,
      (await fetch(path, { method: 'HEAD', headers })).status,
      (await fetch(withQuery(proxy.base, { key: 'chat' }), { headers })).status,
    ];
    expect(await statuses(ann)).toEqual([200, 200, 200]);
    expect(await statuses(ben)).toEqual([404, 404, 204]);
    expect((await fetch(path, { method: 'DELETE', headers: ben })).status).toBe(404);
    const operator = { authorization: `Bearer ${SECRET}` };
    expect((await fetch(path, { headers: operator })).status).toBe(200);
    expect((await fetch(path, { method: 'DELETE', headers: ann })).status).toBe(204);
    expect((await fetch(path, { headers: operator })).status).toBe(404);
  });

  it('restricts a token to its own list of the server’s allowlist', async () => {
    const { proxy, upstream, url } = await begin({}, ({ res }) => res.end());
    const narrowed = await bearer('ann', [`${upstream.url}/v1/*`]);
    expect((await post(proxy, url, { headers: narrowed })).status).toBe(201);
    const refused = await post(proxy, `${upstream.url}/v2/answer`, { headers: narrowed });
    expect(await codeOf(refused)).toBe('UPSTREAM_NOT_ALLOWED');
  });

  it('authenticates by the app’s session, and gets the provider’s key from prepareUpstream', async () => {
    const { proxy, upstream, url } = await begin(
      {
        authenticate: (req) => (req.headers.cookie === 'session=ann' ? { subject: 'ann' } : null),
        prepareUpstream: ({ headers, subject }) => headers.set('authorization', `Bearer sk-for-${subject}`),
      },
      ({ res }) => res.end(),
    );
    const headers = { authorization: '', cookie: 'session=ann' };
    expect((await post(proxy, url, { headers })).status).toBe(201);
    const { req } = await upstream.call(0);
    expect(req.headers.authorization).toBe('Bearer sk-for-ann');
    expect(req.headers.cookie).toBeUndefined();
    expect(
      await codeOf(await post(proxy, url, { headers: { authorization: '', cookie: 'session=eve' } })),
    ).toBe('INVALID_SECRET');
  });

  it('checks the URL again after prepareUpstream', async () => {
    const { proxy, upstream, url } = await begin(
      { prepareUpstream: ({ url }) => void (url.hostname = 'localhost') },
      ({ res }) => res.end(),
    );
    expect(await codeOf(await post(proxy, url))).toBe('UPSTREAM_NOT_ALLOWED');
    expect(upstream.calls).toHaveLength(0);
  });
});
