import { afterEach, expect, it } from 'vitest';
import {
  IDEMPOTENCY_KEY,
  IDEMPOTENCY_REPLAYED,
  PREFER,
  PREFERENCE_APPLIED,
  STREAM_CLOSED,
  STREAM_KEY,
  STREAM_NEXT_OFFSET,
  UPSTREAM_CONTENT_TYPE,
  UPSTREAM_HEADERS,
  UPSTREAM_OUTCOME,
  UPSTREAM_STATE,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import type { ProxyEvent, ProxyServerOptions } from '../../server/index.ts';
import { ManualStore } from '../support/manual-store.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

let proxy: TestProxy;
let upstream: Upstream | undefined;
const events: ProxyEvent[] = [];

afterEach(async () => {
  await upstream?.close();
  upstream = undefined;
  events.length = 0;
  await proxy.stop({ drainMs: 0 });
});

async function begin(
  handler: (call: UpstreamCall) => void,
  options: Partial<ProxyServerOptions> = {},
): Promise<string> {
  proxy = await startProxy({ onEvent: (event) => events.push(event), ...options });
  upstream = await startUpstream(handler);
  return `${upstream.url}/answer`;
}

const authorization = { authorization: `Bearer ${SECRET}` };
const ASYNC = { [PREFER]: 'respond-async' };
const key = { [IDEMPOTENCY_KEY]: 'a key' };
const name = { [STREAM_KEY]: 'a name' };

const create = (url: string, headers: Record<string, string> = {}) =>
  post(proxy, url, { headers: { ...ASYNC, ...headers }, body: 'question' });
const head = (url: string) => fetch(url.split('?')[0]!, { method: 'HEAD', headers: authorization });
const live = async (url: string) => readSse(await fetch(withQuery(url, { live: 'sse' })));
const abort = (url: string) => fetch(withQuery(url, { action: 'abort' }), { method: 'PATCH' });

/** Waits until the head is known, and returns the response of the long-poll. */
const poll = (url: string) => fetch(withQuery(url, { live: 'long-poll', offset: '-1' }));

it('[ASYNC-1] responds 202 before the upstream does, and continues without the caller', async () => {
  const url = await begin(() => undefined);
  const created = await create(url);
  expect(created.status).toBe(202);
  expect(created.headers.get(PREFERENCE_APPLIED)).toBe('respond-async');
  expect(created.headers.get(UPSTREAM_STATE)).toBe('pending');
  for (const unknown of [UPSTREAM_STATUS, UPSTREAM_HEADERS, UPSTREAM_CONTENT_TYPE])
    expect(created.headers.has(unknown)).toBe(false);
  const location = locationOf(proxy, created);
  const [pending] = await Promise.all([head(location), upstream!.call(0)]);
  expect(pending.headers.get(UPSTREAM_STATE)).toBe('pending');
  expect(pending.headers.has(STREAM_CLOSED)).toBe(false);
  const nothing = await fetch(location);
  expect([nothing.status, nothing.headers.get(UPSTREAM_STATE), await nothing.text()]).toEqual([
    200,
    'pending',
    '',
  ]);
});

it('[ASYNC-4][ASYNC-6] stores the head when the upstream responds, before any byte of the body', async () => {
  const url = await begin(() => undefined);
  const location = locationOf(proxy, await create(url, name));
  const { res } = await upstream!.call(0);
  const polling = poll(location);
  res.writeHead(202, { 'content-type': 'text/event-stream', 'x-request-id': 'req_é', 'set-cookie': 'a=b' });
  res.flushHeaders();
  const polled = await polling;
  expect(polled.status).toBe(204);
  const find = await fetch(withQuery(proxy.base, { key: 'a name' }), { headers: authorization });
  for (const { headers } of [polled, await head(location), await fetch(location), find]) {
    expect(headers.get(UPSTREAM_STATE)).toBe(null);
    expect(headers.get(UPSTREAM_STATUS)).toBe('202');
    expect(headers.get(UPSTREAM_CONTENT_TYPE)).toBe('text/event-stream');
    expect(JSON.parse(headers.get(UPSTREAM_HEADERS)!)).toContainEqual(['x-request-id', 'req_Ã©']);
    expect(headers.get(UPSTREAM_HEADERS)).not.toMatch(/cookie|[^\x20-\x7e]/);
  }
  res.end('the body');
  const { bytes, controls } = await live(location);
  expect(bytes.toString()).toBe('the body');
  expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
});

it('[ASYNC-3][ASYNC-5] streams in the same response: pending, then the head, then the body', async () => {
  const url = await begin(() => undefined);
  const created = await create(url, { [PREFER]: 'return=representation, respond-async' });
  expect(created.status).toBe(202);
  expect(created.headers.get(PREFERENCE_APPLIED)).toBe('respond-async, return=representation');
  await upstream!.call(0);
  const { res } = upstream!.calls[0]!;
  const { bytes, controls } = await readSse(created, (read) => {
    if (read.controls[0]?.upstreamState === 'pending' && !res.headersSent) {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.flushHeaders();
    }
    if (read.controls[1] && !res.writableEnded) res.end('body');
    return false;
  });
  expect(bytes.toString()).toBe('body');
  expect(controls[0]).toMatchObject({ upstreamState: 'pending', upToDate: true });
  expect(controls[1]).toMatchObject({ upstreamHead: { status: 200, contentType: 'text/plain' } });
  expect(controls.filter(({ upstreamHead }) => upstreamHead)).toHaveLength(1);
});

it('[ASYNC-5] sends the head before the body to a reader that starts when both are stored', async () => {
  const url = await begin(({ res }) => res.end('both'));
  const location = locationOf(proxy, await create(url));
  await live(location);
  const response = await fetch(withQuery(location, { live: 'sse' }));
  expect(response.headers.get(UPSTREAM_STATUS)).toBe('200');
  expect((await readSse(response)).controls.some(({ upstreamHead }) => upstreamHead)).toBe(false);
});

it('[ASYNC-5] does not call a stream pending whose head arrived before its read began', async () => {
  const store = new ManualStore();
  const url = await begin(({ res }) => res.end('body'), { store });
  store.holds = (operation) => operation === 'follow';
  const creating = create(url, { [PREFER]: 'return=representation, respond-async' });
  const follow = await store.nextHeld();
  await expect.poll(async () => (await store.head(follow.id))?.end?.outcome).toBe('complete');
  follow.run();
  const created = await creating;
  expect([created.headers.get(UPSTREAM_STATE), created.headers.get(UPSTREAM_STATUS)]).toEqual([null, '200']);
  expect((await readSse(created)).bytes.toString()).toBe('body');
});

it.each([401, 429, 500])('[ASYNC-7] stores an upstream error %i as a refused stream', async (status) => {
  const url = await begin(({ res }) => {
    res.writeHead(status, { 'content-type': 'application/json', 'retry-after': '7', 'x-request-id': 'r' });
    res.end('{"error":"no"}');
  });
  const location = locationOf(proxy, await create(url));
  const { bytes, controls } = await live(location);
  expect(bytes.toString()).toBe('{"error":"no"}');
  expect(controls.at(-1)).toMatchObject({
    streamClosed: true,
    upstreamOutcome: 'refused',
    upstreamError: { code: 'UPSTREAM_ERROR' },
  });
  const { headers } = await fetch(location);
  expect(headers.get(UPSTREAM_STATUS)).toBe(String(status));
  expect(headers.get(UPSTREAM_OUTCOME)).toBe('refused');
  expect(JSON.parse(headers.get(UPSTREAM_HEADERS)!)).toContainEqual(['retry-after', '7']);
  expect(events.map(({ type }) => type)).not.toContain('created');
  expect(events).toContainEqual({ type: 'refused', code: 'UPSTREAM_ERROR', status, method: 'POST' });
});

it('[ASYNC-7] keeps at most maxErrorBytes of an error body', async () => {
  const url = await begin(({ res }) => res.writeHead(400).end('x'.repeat(5_000)), { maxErrorBytes: 4_096 });
  const { bytes } = await live(locationOf(proxy, await create(url)));
  expect(bytes).toHaveLength(4_096);
});

it('[ASYNC-4][ASYNC-8] ends a stream without a head if the upstream redirects, cannot be reached or is too slow', async () => {
  const url = await begin(
    ({ req, res }) => void (req.url === '/redirect' && res.writeHead(302, { location: '/other' }).end()),
    { upstreamHeadersAsyncTimeoutMs: 300 },
  );
  const closed = await startUpstream(() => undefined);
  await closed.close();
  const { origin } = new URL(url);
  for (const [target, code] of [
    [`${origin}/redirect`, 'REDIRECT_NOT_ALLOWED'],
    [`${closed.url}/`, 'UPSTREAM_ERROR'],
    [`${origin}/slow`, 'UPSTREAM_TIMEOUT'],
  ] as const) {
    const location = locationOf(proxy, await create(target));
    const { bytes, controls } = await live(location);
    expect(bytes).toHaveLength(0);
    expect(controls.at(-1)).toMatchObject({ upstreamOutcome: 'refused', upstreamError: { code } });
    const { headers } = await fetch(location);
    expect([headers.get(UPSTREAM_STATUS), headers.get(UPSTREAM_STATE)]).toEqual([null, 'pending']);
  }
  await upstream!.calls.at(-1)!.closed;
});

it('[ASYNC-2] rejects the same requests as without the preference, and calls no upstream', async () => {
  const url = await begin(() => undefined, {
    maxConcurrentStreams: 1,
    allowlist: ['http://127.0.0.1:*/answer'],
  });
  const disallowed = await create(`${new URL(url).origin}/other`);
  expect([disallowed.status, await codeOf(disallowed)]).toEqual([403, 'UPSTREAM_NOT_ALLOWED']);
  expect((await create(url)).status).toBe(202);
  const tooMany = await create(url);
  expect([tooMany.status, await codeOf(tooMany)]).toEqual([429, 'TOO_MANY_STREAMS']);
  expect(await upstream!.call(0)).toBeDefined();
  expect(upstream!.calls).toHaveLength(1);
});

it('[ASYNC-9] cancels the upstream request and closes the stream as aborted on an abort by URL or key', async () => {
  const url = await begin(() => undefined);
  const byUrl = locationOf(proxy, await create(url));
  const first = await upstream!.call(0);
  const reading = live(byUrl);
  expect((await abort(byUrl)).status).toBe(204);
  await first.closed;
  const { controls } = await reading;
  expect(controls.at(-1)?.upstreamOutcome).toBe('aborted');
  const byKey = locationOf(proxy, await create(url, key));
  const second = await upstream!.call(1);
  const patched = await fetch(withQuery(proxy.base, { action: 'abort' }), {
    method: 'PATCH',
    headers: { ...authorization, ...key },
  });
  expect(patched.status).toBe(204);
  await second.closed;
  expect((await fetch(byKey)).headers.get(UPSTREAM_OUTCOME)).toBe('aborted');
});

it('[ASYNC-10] returns the pending stream for the same key, with one upstream call', async () => {
  const url = await begin(() => undefined);
  const created = await create(url, key);
  const again = await create(url, key);
  expect([created.status, again.status]).toEqual([202, 202]);
  expect(again.headers.get(IDEMPOTENCY_REPLAYED)).toBe('true');
  const path = (response: Response) => new URL(locationOf(proxy, response)).pathname;
  expect(path(again)).toBe(path(created));
  const { res } = await upstream!.call(0);
  const waiting = post(proxy, url, { headers: key, body: 'question' });
  res.writeHead(201, { 'content-type': 'text/plain' });
  res.flushHeaders();
  const waited = await waiting;
  expect([waited.status, waited.headers.get(UPSTREAM_STATUS), path(waited)]).toEqual([
    200,
    '201',
    path(created),
  ]);
  expect(waited.headers.has(PREFERENCE_APPLIED)).toBe(false);
  const late = await create(url, key);
  expect([late.status, late.headers.get(UPSTREAM_STATUS)]).toEqual([200, '201']);
  res.end();
  expect(upstream!.calls).toHaveLength(1);
});

it('[ASYNC-10] returns the error of a pending stream, or 504, to a create with its key and without the preference', async () => {
  const url = await begin(() => undefined, { upstreamHeadersTimeoutMs: 200 });
  await create(url, key);
  const { res } = await upstream!.call(0);
  const late = await post(proxy, url, { headers: key, body: 'question' });
  expect([late.status, await codeOf(late), late.headers.get('retry-after')]).toEqual([
    504,
    'UPSTREAM_TIMEOUT',
    '1',
  ]);
  const refused = post(proxy, url, { headers: key, body: 'question' });
  res.writeHead(429, { 'content-type': 'text/plain', 'retry-after': '9', 'x-other': 'no' }).end('slow down');
  const { status, headers } = await refused;
  expect([status, headers.get(UPSTREAM_STATUS), headers.get('retry-after')]).toEqual([502, '429', '9']);
  expect(headers.get('content-type')).toBe('text/plain');
  expect(headers.has('x-other')).toBe(false);
  expect(await (await refused).text()).toBe('slow down');
});

it('[ASYNC-11] releases the key of a refused create, and its name leads to the stream before it', async () => {
  let calls = 0;
  const url = await begin(({ res }) =>
    (calls += 1) === 2 ? res.writeHead(429).end('no') : res.end(`${calls}`),
  );
  const find = () => fetch(withQuery(proxy.base, { key: 'a name' }), { headers: authorization });
  const first = locationOf(proxy, await create(url, { ...key, ...name }));
  await live(first);
  const second = locationOf(proxy, await create(url, { [IDEMPOTENCY_KEY]: 'another', ...name }));
  expect((await live(second)).controls.at(-1)?.upstreamOutcome).toBe('refused');
  await expect
    .poll(async () => new URL(locationOf(proxy, await find())).pathname)
    .toBe(new URL(first).pathname);
  await expect
    .poll(async () =>
      (await live(locationOf(proxy, await create(url, { [IDEMPOTENCY_KEY]: 'another' })))).bytes.toString(),
    )
    .toBe('3');
  expect(upstream!.calls).toHaveLength(3);
  expect(await (await fetch(second)).text()).toBe('no');
});

it('[ASYNC-12] closes pending streams as interrupted and cancels their upstream requests on shutdown', async () => {
  const url = await begin(() => undefined);
  const location = locationOf(proxy, await create(url));
  const { closed } = await upstream!.call(0);
  // The reader has begun before the shutdown does.
  const reading = await fetch(withQuery(location, { live: 'sse' }));
  await proxy.stop({ drainMs: 0 });
  await closed;
  expect((await readSse(reading)).controls.at(-1)?.upstreamOutcome).toBe('interrupted');
});

it('deletes a pending stream, and cancels its upstream request', async () => {
  const url = await begin(() => undefined);
  const location = locationOf(proxy, await create(url, key));
  const { closed } = await upstream!.call(0);
  const deleted = await fetch(location.split('?')[0]!, { method: 'DELETE', headers: authorization });
  expect(deleted.status).toBe(204);
  await closed;
  expect((await fetch(location)).status).toBe(404);
});

it('counts a pending stream until it is closed, and emits its events from the response on', async () => {
  const url = await begin(() => undefined, { maxConcurrentStreamsPerSubject: 1 });
  const location = locationOf(proxy, await create(url));
  const { res } = await upstream!.call(0);
  expect(events.map(({ type }) => type)).not.toContain('created');
  await write(res, 'x');
  const polled = await poll(location);
  expect(polled.headers.get(STREAM_NEXT_OFFSET)).not.toBe(null);
  res.end();
  await live(location);
  const types = events.map(({ type }) => type).filter((type) => !type.startsWith('read-'));
  expect(types).toEqual(['created', 'first-byte', 'closed']);
});

it('ignores unknown preferences next to respond-async', async () => {
  const url = await begin(({ res }) => res.end());
  const created = await create(url, { [PREFER]: 'respond-async, wait=10, handling=lenient' });
  expect([created.status, created.headers.get(PREFERENCE_APPLIED)]).toEqual([202, 'respond-async']);
});

it('ignores the preference on a store that cannot add to the metadata of a stream', async () => {
  const store = new ManualStore();
  Object.defineProperty(store, 'annotate', { value: undefined });
  const url = await begin(({ res }) => void write(res, 'whole').then(() => res.end()), { store });
  const created = await create(url);
  expect([created.status, created.headers.get(PREFERENCE_APPLIED)]).toEqual([201, null]);
  expect((await live(locationOf(proxy, created))).bytes.toString()).toBe('whole');
});
