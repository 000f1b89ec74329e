import { once } from 'node:events';
import {
  connect,
  createServer,
  type ClientHttp2Session,
  type Http2ServerRequest,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { IDEMPOTENCY_KEY } from '../../protocol/headers.ts';
import type { DurableProxyOptions } from '../../server/index.ts';
import { createRouter, SECRET } from '../support/proxy.ts';
import { startUpstream, write, type UpstreamCall } from '../support/upstream.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const LARGE = 16 * 1_048_576;

interface Http2Response {
  readonly status: number;
  readonly headers: Record<string, string | undefined>;
  readonly body: string;
}

/** Starts a proxy on Node's HTTP/2 server (its compatibility API) and a client session. */
async function begin(
  options: Partial<DurableProxyOptions>,
  handler: (call: UpstreamCall) => void,
  before: (req: Http2ServerRequest) => Promise<unknown> = () => Promise.resolve(),
) {
  const upstream = await startUpstream(handler);
  const errors: object[] = [];
  const note = (fields: object) => void errors.push(fields);
  const ignore = () => undefined;
  const { proxy, close } = await createRouter({
    basePath: '/',
    logger: { debug: ignore, info: ignore, warn: note, error: note },
    ...options,
  });
  const server = createServer((req, res) => {
    void before(req).then(() => proxy(req as never, res as never, note as () => void));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  cleanups.push(
    () => upstream.close(),
    close,
    () => new Promise((resolve) => server.close(resolve)),
    async () => session.destroy(),
  );
  const create = (headers: OutgoingHttpHeaders = {}, body = '') =>
    send(
      session,
      {
        ':method': 'POST',
        authorization: `Bearer ${SECRET}`,
        'upstream-url': `${upstream.url}/x`,
        'upstream-method': 'POST',
        ...headers,
      },
      body,
    );
  return { upstream, session, create, errors };
}

function open(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string) {
  const stream = session.request({ ':path': '/', ...headers }, { endStream: false });
  if (body !== undefined) stream.end(body);
  return stream;
}

async function send(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body = '',
): Promise<Http2Response> {
  const stream = open(session, headers, body);
  const [response] = (await once(stream, 'response')) as [Record<string, string> & { ':status': number }];
  return { status: response[':status'], headers: response, body: await text(stream) };
}

describe('under HTTP/2', () => {
  it('creates, forwards the body and no pseudo-header, and streams a live read', async () => {
    const { upstream, session, create, errors } = await begin({}, ({ res, body }) => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.end(`got ${body.toString()}`);
    });
    const created = await create({ 'x-tag': 'kept', [IDEMPOTENCY_KEY]: 'ü' }, 'it');
    expect(created).toMatchObject({ status: 201, headers: { 'upstream-content-type': 'text/plain' } });
    const call = await upstream.call(0);
    expect(call.req.headers).toMatchObject({ 'x-tag': 'kept' });
    expect(call.req.rawHeaders.filter((name) => name.startsWith(':'))).toEqual([]);
    const again = await create({ [IDEMPOTENCY_KEY]: 'ü' }, 'it');
    expect(again).toMatchObject({ status: 200, headers: { 'idempotency-replayed': 'true' } });

    const location = created.headers['location']!;
    const live = await send(session, { ':path': `${location}&live=sse` });
    expect(live.status).toBe(200);
    expect(live.body).toContain(Buffer.from('got it').toString('base64'));
    expect(live.body).toContain('"streamClosed":true');
    const whole = await send(session, { ':path': location });
    expect(whole).toMatchObject({ status: 200, body: 'got it', headers: { 'stream-closed': 'true' } });
    expect(errors).toEqual([]);
  });

  it('passes what prepareUpstream changes', async () => {
    const { upstream, create } = await begin(
      { prepareUpstream: ({ headers }) => headers.set('x-key', 'server') },
      ({ res }) => res.end(),
    );
    expect((await create()).status).toBe(201);
    expect((await upstream.call(0)).req.headers).toMatchObject({ 'x-key': 'server' });
  });

  it('responds to HEAD, to an abort, and to rejected requests', async () => {
    const { upstream, session, create } = await begin({}, ({ res }) => void write(res, 'first'));
    const location = (await create()).headers['location']!;
    const [path] = location.split('?');
    const service = { authorization: `Bearer ${SECRET}` };
    const head = await send(session, { ':method': 'HEAD', ':path': path, ...service });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(await send(session, { ':path': path })).toMatchObject({ status: 401 });

    expect(await send(session, { ':method': 'PATCH', ':path': `${location}&action=abort` })).toMatchObject({
      status: 204,
    });
    await (
      await upstream.call(0)
    ).closed;
    const after = await send(session, { ':method': 'HEAD', ':path': path, ...service });
    expect(after.headers).toMatchObject({ 'upstream-outcome': 'aborted' });

    const twice = await create({ 'upstream-url': [`${upstream.url}/x`, `${upstream.url}/y`] });
    expect(twice.status).toBe(400);
    expect(twice.body).toContain('INVALID_REQUEST');
    expect((await send(session, { ...service, ':path': '/?key=unknown' })).status).toBe(204);
    expect(
      (await send(session, { ...service, ':method': 'PATCH', ':path': '/?action=abort', 'stream-key': 'k' }))
        .status,
    ).toBe(204);
  });

  it('rejects a body over maxRequestBytes', async () => {
    const { session, create, upstream } = await begin({ maxRequestBytes: 10 }, ({ res }) => res.end());
    expect(await create({}, '0123456789a')).toMatchObject({ status: 413 });
    const stream = open(
      session,
      {
        ':method': 'POST',
        authorization: `Bearer ${SECRET}`,
        'upstream-url': `${upstream.url}/x`,
        'upstream-method': 'POST',
      },
      undefined,
    );
    const response = once(stream, 'response');
    stream.write('0123456789a');
    const [{ ':status': status }] = (await response) as [{ ':status': number }];
    expect(status).toBe(413);
    // The rest of the upload is discarded for a while, then the stream is closed.
    stream.resume();
    await once(stream, 'close');
  });

  it('[FWD-8] rejects a body without Content-Length whose bytes an earlier parser has lost', async () => {
    const { create, upstream } = await begin({}, ({ res }) => res.end(), text);
    const refused = await create({}, '{"a":1}');
    expect(refused.status).toBe(400);
    expect(refused.body).toContain('Mount durableProxy before express.json()');
    expect(upstream.calls).toHaveLength(0);
  });

  it('[READ-19] closes the stream of a reader that accepts no bytes, and keeps the session', async () => {
    const { session, create, errors } = await begin({ readerStallTimeoutMs: 300 }, ({ res }) =>
      res.end(Buffer.alloc(LARGE, 'x')),
    );
    const location = (await create()).headers['location']!;
    const stalled = open(session, { ':path': `${location}&live=sse` }, '');
    const [error] = (await once(stalled.pause(), 'error')) as [Error];
    expect(error.message).toContain('NGHTTP2_INTERNAL_ERROR');
    expect((await send(session, { ':path': location, ':method': 'HEAD' })).status).toBe(401);
    expect(errors).toEqual([]);
  });

  it('releases a reader that resets its stream', async () => {
    const events: string[] = [];
    const { session, create } = await begin(
      { onEvent: ({ type }) => void events.push(type) },
      ({ res }) => void write(res, 'first'),
    );
    const location = (await create()).headers['location']!;
    const stream = open(session, { ':path': `${location}&live=sse` }, '');
    await once(stream, 'data');
    stream.close();
    await expect.poll(() => events).toContain('read-ended');
  });
});
