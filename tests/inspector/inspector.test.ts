import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_CLOSED, STREAM_KEY, STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import { createServiceToken } from '../../server/index.ts';
import { durableInspector } from '../../server/inspector.ts';
import type { AnswerDetails } from '../../server/inspector/wire/types.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import { SECRET, startProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';
import { buildInspectorPage } from './build-page.ts';
import { startSample } from '../samples/support/server-process.ts';
import { act, follow, snapshotOf, startInspectedApp, type InspectedApp } from './support.ts';

beforeAll(buildInspectorPage);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Sends one chunk, and the rest when the test says so. */
async function startModel(headers: Record<string, string> = {}): Promise<Upstream> {
  const upstream = await startUpstream(({ res }) => {
    res.writeHead(200, { 'content-type': 'text/plain', ...headers });
    void write(res, 'hello ');
  });
  cleanups.push(() => upstream.close());
  return upstream;
}

async function startApp(...args: Parameters<typeof startInspectedApp>): Promise<InspectedApp> {
  const app = await startInspectedApp(...args);
  cleanups.push(() => app.stop());
  return app;
}

const idIn = (url: string): string => new URL(url).pathname.split('/').at(-1)!;

describe('authorize', () => {
  it('is required', () => {
    const proxy = Object.assign(() => undefined, { ready: Promise.resolve() });
    expect(() => durableInspector(proxy, {} as never)).toThrow('durableInspector needs authorize');
    expect(() => durableInspector(proxy, { authorize: () => true })).toThrow(
      'The first argument of durableInspector must be what durableProxy returned',
    );
  });

  it.each([
    ['false', () => false],
    ['a rejected promise', () => Promise.reject(new Error('no database'))],
    [
      'an exception',
      () => {
        throw new Error('no database');
      },
    ],
    ['a truthy value', () => 'yes' as unknown as boolean],
    ['undefined', () => undefined as unknown as boolean],
  ])('refuses every request after %s', async (_, authorize) => {
    const { ops } = await startApp({ logger: silentLogger }, { authorize });
    for (const path of ['', 'page.js', 'api/snapshot', 'api/events', 'nothing'])
      expect([path, (await fetch(ops + path)).status]).toEqual([path, 403]);
    expect((await act(ops, `${crypto.randomUUID()}/stop`)).status).toBe(403);
  });

  it('is called for every request', async () => {
    const authorize = vi.fn(() => Promise.resolve(true));
    const { ops } = await startApp({}, { authorize });
    await snapshotOf(ops);
    await fetch(`${ops}nothing`);
    expect(authorize).toHaveBeenCalledTimes(2);
  });
});

it('[server/inspector.ts] shows the page to operators only', async () => {
  const server = await startSample('server/inspector.ts', { JWT_SECRET: SECRET });
  cleanups.push(() => server.dispose());
  const snapshot = `http://127.0.0.1:${server.port}/ops/streams/api/snapshot`;
  expect((await fetch(snapshot)).status).toBe(403);
  expect((await fetch(snapshot, { headers: { cookie: 'role=operator' } })).status).toBe(200);
});

describe('actions', () => {
  async function startOne() {
    const [upstream, app] = await Promise.all([startModel(), startApp()]);
    const url = locationOf(app, await post(app, `${upstream.url}/x`));
    return { app, url, id: idIn(url), call: await upstream.call(0) };
  }

  it('refuses actions of other sites', async () => {
    const { app, id } = await startOne();
    const refused: [string, RequestInit][] = [
      ['without the header', { method: 'POST' }],
      [
        'of another site',
        { method: 'POST', headers: { 'x-durable-inspector': '1', 'sec-fetch-site': 'cross-site' } },
      ],
      [
        'of a sibling',
        { method: 'POST', headers: { 'x-durable-inspector': '1', 'sec-fetch-site': 'same-site' } },
      ],
      [
        'of another origin',
        { method: 'POST', headers: { 'x-durable-inspector': '1', origin: 'https://evil.example' } },
      ],
      ['of a sandbox', { method: 'POST', headers: { 'x-durable-inspector': '1', origin: 'null' } }],
    ];
    for (const [who, init] of refused)
      expect([who, (await fetch(`${app.ops}api/answers/${id}/stop`, init)).status]).toEqual([who, 403]);
    expect((await fetch(`${app.ops}api/answers/${id}/stop`)).status).toBe(404);
    expect((await act(app.ops, `${id}/stop`, { origin: app.url })).status).toBe(200);
  });

  it('stops an answer: its upstream is canceled and its outcome is aborted', async () => {
    const { app, id, call } = await startOne();
    const stopped = follow(app.ops, (states) =>
      [...states.values()].some(({ rows }) =>
        [...rows.values()].some(({ outcome }) => outcome === 'aborted'),
      ),
    );
    expect((await act(app.ops, `${id}/stop`)).status).toBe(200);
    await call.closed;
    await stopped;
  });

  it('deletes an answer, also from the table', async () => {
    const { app, url, id } = await startOne();
    expect((await act(app.ops, `${id}/delete`)).status).toBe(200);
    expect((await fetch(url)).status).toBe(404);
    const { frames } = await snapshotOf(app.ops);
    expect(frames[0]?.rows).toEqual([]);
    const details = (await (await fetch(`${app.ops}api/answers/${id}`)).json()) as AnswerDetails;
    expect(details.exists).toBe(false);
  });

  it('creates a link that reads and does nothing else', async () => {
    const { app, id, call } = await startOne();
    call.res.end('world');
    const { url } = (await (await act(app.ops, `${id}/link`)).json()) as { url: string };
    const link = new URL(url, app.url).href;
    const read = await readSse(await fetch(withQuery(link, { live: 'sse' })));
    expect(read.bytes.toString()).toBe('hello world');
    expect((await fetch(withQuery(link, { action: 'abort' }), { method: 'PATCH' })).status).toBe(401);
  });
});

describe('what it shows', () => {
  it('reports an answer from its create to its end', async () => {
    const [upstream, app] = await Promise.all([startModel({ 'x-request-id': 'r-1' }), startApp()]);
    const token = await createServiceToken({ jwtSecret: SECRET, subject: 'user-42', expiresInSeconds: 60 });
    const headers = {
      authorization: `Bearer ${token}`,
      [IDEMPOTENCY_KEY]: 'key-1',
      [STREAM_KEY]: 'chat-1',
    };
    const url = locationOf(app, await post(app, `${upstream.url}/v1/x?api-key=hidden`, { headers }));
    const id = idIn(url);
    const reading = readSse(await fetch(withQuery(url, { live: 'sse' })));
    await follow(app.ops, (states) => {
      const [state] = states.values();
      const [row] = state!.rows.values();
      return row!.readers === 1 && row!.bytes === 6;
    });
    const call = await upstream.call(0);
    call.res.end('world');
    await reading;
    await follow(app.ops, (states) => [...states.values()][0]?.summary?.readers === 0);

    const { frames, self, peers } = await snapshotOf(app.ops);
    expect(peers).toEqual([]);
    expect(frames).toHaveLength(1);
    const [{ process: processId, rows, summary } = { process: '', rows: [], summary: undefined }] = frames;
    expect(processId).toBe(self);
    expect(rows).toEqual([
      expect.objectContaining({
        id,
        subject: 'user-42',
        streamKey: 'chat-1',
        idempotencyKey: 'key-1',
        upstream: `${upstream.url}/v1/x`,
        outcome: 'complete',
        bytes: 11,
        readers: 0,
        recoveries: 0,
      }),
    ]);
    expect(summary).toMatchObject({ running: 0, store: { kind: 'embedded' }, isDraining: false });
    expect(summary?.store.bytes).toBeGreaterThan(0);
    expect(summary?.hour.minutes).toEqual([{ minute: expect.any(Number), closed: { complete: 1 } }]);
    expect(Object.keys(summary?.hour.append ?? {}).length).toBeGreaterThan(0);
    expect(Object.values(summary?.hour.firstToken ?? {})).toEqual([1]);

    const details = (await (await fetch(`${app.ops}api/answers/${id}`)).json()) as AnswerDetails;
    expect(details).toMatchObject({ exists: true, contentType: 'text/plain', head: { status: 200 } });
    expect(details.head?.headers).toContainEqual(['x-request-id', 'r-1']);
    const types = details.timelines[self]?.events.map(({ type }) => type) ?? [];
    expect(types.slice(0, 3)).toEqual(['created', 'first-byte', 'reader-joined']);
    // The last bytes and the end are one write of the store, which both notice.
    expect(types.slice(3).sort()).toEqual(['ended', 'reader-left']);
    expect(details.timelines[self]?.bytes?.totals.at(-1)).toBe(11);
  });

  it('sends the text as it arrives, as plain text, and is no reader', async () => {
    const [upstream, app] = await Promise.all([startModel({ 'content-type': 'text/html' }), startApp()]);
    const id = idIn(locationOf(app, await post(app, `${upstream.url}/x`)));
    const first = await fetch(`${app.ops}api/answers/${id}/text`);
    expect(first.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(first.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await first.text()).toBe('hello ');
    const offset = first.headers.get(STREAM_NEXT_OFFSET)!;
    const waiting = fetch(withQuery(`${app.ops}api/answers/${id}/text`, { offset }));
    const { res } = await upstream.call(0);
    res.end('<b>world</b>');
    expect(await (await waiting).text()).toBe('<b>world</b>');
    const rest = await fetch(withQuery(`${app.ops}api/answers/${id}/text`, { offset }));
    await rest.text();
    const { frames } = await snapshotOf(app.ops);
    expect(frames[0]?.summary.readers).toBe(0);
    const details = (await (await fetch(`${app.ops}api/answers/${id}`)).json()) as AnswerDetails;
    expect(Object.values(details.timelines)[0]?.events.some(({ type }) => type.startsWith('read'))).toBe(
      false,
    );
    expect(rest.headers.get(STREAM_CLOSED)).not.toBe('false');
  });

  it('counts refused requests by code', async () => {
    const app = await startApp({ logger: silentLogger });
    await post(app, 'https://example.com/');
    await fetch(app.base, { method: 'POST' });
    const { frames } = await snapshotOf(app.ops);
    expect(frames[0]?.summary.hour.refused).toEqual({ UPSTREAM_NOT_ALLOWED: 1, MISSING_SECRET: 1 });
  });

  it('contains no secret, signature or query of an upstream', async () => {
    const planted = [
      'sk-planted-1',
      'planted-query-2',
      'planted-header-3',
      'planted-link-4',
      'planted-cookie-5',
    ];
    const upstream = await startModel({
      'x-api-key': planted[2]!,
      location: `https://cdn.example.com/x?signature=${planted[3]}`,
      link: `</next?token=${planted[3]}>; rel=next`,
      'set-cookie': `session=${planted[4]}`,
    });
    const app = await startApp();
    const created = await post(app, `${upstream.url}/x?key=${planted[1]}`, {
      headers: { 'upstream-authorization': `Bearer ${planted[0]}`, [IDEMPOTENCY_KEY]: 'k' },
    });
    const url = locationOf(app, created);
    const id = idIn(url);
    const { signature = '' } = Object.fromEntries(new URL(url).searchParams);
    let events = '';
    await follow(app.ops, (_, message) => {
      events += JSON.stringify(message);
      return message.frames[0]?.rows[0] !== undefined || events.length > 2_000;
    });
    const responses = await Promise.all(
      [
        '',
        'page.js',
        'page.css',
        'api/snapshot',
        `api/answers/${id}`,
        `api/answers/${id}/text`,
        'nothing',
      ].map(async (path) => {
        const response = await fetch(app.ops + path);
        return JSON.stringify([...response.headers]) + (await response.text());
      }),
    );
    expect(signature.length).toBeGreaterThan(20);
    for (const text of [events, ...responses])
      for (const secret of [SECRET, signature, ...planted]) expect(text).not.toContain(secret);
    expect(responses.join('')).toContain('https://cdn.example.com/x');
  });
});

describe('the page', () => {
  it('is sent with a strict policy, and only below a path that ends with a slash', async () => {
    const { ops, url } = await startApp();
    const response = await fetch(ops);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'self'");
    expect(policy).not.toMatch(/unsafe|https?:/);
    expect(await response.text()).not.toMatch(/<script>|https?:\/\/(?!www\.w3\.org)|style="/);
    const redirect = await fetch(`${url}/ops/streams?x=1`, { redirect: 'manual' });
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, 'streams/']);
  });

  it('may be shown in frames of the given origins', async () => {
    const frameAncestors = ["'self'", 'https://admin.example.com'];
    const { ops } = await startApp({}, { authorize: () => true, frameAncestors });
    const policy = (await fetch(ops)).headers.get('content-security-policy');
    expect(policy).toContain("frame-ancestors 'self' https://admin.example.com");
  });
});

describe('the standalone server', () => {
  it('serves it at /inspector for the service secret, as the password of Basic or as a Bearer token', async () => {
    const proxy = await startProxy({ inspector: true });
    cleanups.push(() => proxy.stop());
    const get = (authorization?: string) =>
      fetch(`${proxy.url}/inspector/`, authorization === undefined ? {} : { headers: { authorization } });
    const basic = (password: string) => `Basic ${Buffer.from(`operator:${password}`).toString('base64')}`;
    const token = await createServiceToken({ jwtSecret: SECRET, subject: 'user-42', expiresInSeconds: 60 });
    const refused = await get();
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="durable-proxy", charset="UTF-8"',
    ]);
    for (const wrong of [basic('wrong'), basic(''), 'Basic ?', `Bearer ${token}`])
      expect((await get(wrong)).status).toBe(401);
    expect((await get(basic(SECRET))).status).toBe(200);
    expect((await get(`Bearer ${SECRET}`)).status).toBe(200);
    const without = await startProxy();
    cleanups.push(() => without.stop());
    expect(
      (await fetch(`${without.url}/inspector/`, { headers: { authorization: basic(SECRET) } })).status,
    ).toBe(404);
  });
});
