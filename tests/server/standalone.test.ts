import { once } from 'node:events';
import { connect, Server, type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import pino from 'pino';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProxyServer } from '../../server/index.ts';
import { SECRET, startProxy, temporaryFolder, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write } from '../support/upstream.ts';
import { locationOf, post, readSse } from '../support/wire.ts';

let proxy: TestProxy;
const lines: string[] = [];

beforeAll(async () => {
  // Uses a real pino: that this type-checks is part of the test.
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  proxy = await startProxy({ logger: pino({ level: 'debug' }, sink) });
});
afterAll(() => proxy.stop({ drainMs: 0 }));

describe('the standalone server', () => {
  it('[LIFE-1] responds to GET /health', async () => {
    await request(proxy.url).get('/health').expect(200, { status: 'ok' });
  });

  it('sends the headers of helmet, and no X-Powered-By', async () => {
    const answer = await request(proxy.url).get('/health');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.headers['content-security-policy']).toBeDefined();
    expect(answer.headers['x-powered-by']).toBeUndefined();
  });

  it.each(['/', '/v1', '/v1/proxy/a/b', '/v1/proxy-not'])('[ERR-3] responds 404 under %s', async (path) => {
    const answer = await request(proxy.url).get(path).expect(404);
    expect(answer.body).toMatchObject({ error: { code: 'NOT_FOUND' } });
  });

  it('sends the methods of a path in Allow', async () => {
    const answer = await request(proxy.url).put('/v1/proxy').expect(405);
    expect(answer.headers['allow']).toBe('POST, GET, PATCH, OPTIONS');
    expect(answer.body).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } });
  });

  it('logs to a pino', async () => {
    await request(proxy.url).get('/v1/proxy').expect(401);
    expect(lines.join('')).toContain('"code":"MISSING_SECRET"');
  });

  it('rejects a port in use, and releases its resources', async () => {
    const folder = await temporaryFolder();
    const options = { jwtSecret: SECRET, host: '127.0.0.1', dataDir: folder.path };
    const port = Number(new URL(proxy.url).port);
    await expect(createProxyServer({ ...options, port })).rejects.toThrow(/EADDRINUSE/);
    // The data directory is available again.
    const other = await createProxyServer({ ...options, port: 0 });
    await other.stop();
    await folder.remove();
  });

  it('keeps an idle connection for 75 s by default, longer than load balancers', async () => {
    const { headers } = await request(proxy.url).get('/health').set('connection', 'keep-alive');
    expect(headers['keep-alive']).toBe('timeout=75');
  });

  it('closes an idle connection after keepAliveTimeoutMs', async () => {
    const other = await startProxy({ keepAliveTimeoutMs: 1_000 });
    const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
    socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    const [head] = (await once(socket, 'data')) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 200 [^]*\r\nkeep-alive: timeout=1\r\n/i);
    await once(socket.resume(), 'close');
    await other.stop();
  });

  it('closes an idle connection after a read, even if readerStallTimeoutMs is the same time', async () => {
    const upstream = await startUpstream(({ res }) => res.end('it'));
    const other = await startProxy({ keepAliveTimeoutMs: 1_000, readerStallTimeoutMs: 1_000 });
    const { pathname, search, port } = new URL(locationOf(other, await post(other, `${upstream.url}/x`)));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await once(socket.resume(), 'close');
    await Promise.all([other.stop(), upstream.close()]);
  });

  it('lets a slow client receive the rest of a response when it stops', async () => {
    const body = Buffer.alloc(4_000_000, 'x');
    const upstream = await startUpstream(({ res }) => res.end(body));
    const other = await startProxy();
    const location = locationOf(other, await post(other, `${upstream.url}/x`));
    await readSse(await fetch(`${location}&live=sse`));
    const { pathname, search, port } = new URL(location);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET ${pathname}${search} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await once(socket, 'readable');
    const stopped = other.stop();
    let bytes = 0;
    for await (const chunk of socket) {
      bytes += (chunk as Buffer).length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(bytes).toBeGreaterThan(body.length);
    await Promise.all([stopped, upstream.close()]);
  });

  it('survives and logs an error of its listening socket', async () => {
    const errors: unknown[] = [];
    const error = (fields: unknown): void => void errors.push(fields);
    const none = (): void => undefined;
    const other = await startProxy({ logger: { debug: none, info: none, warn: none, error } });
    const { port } = new URL(other.url);
    const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
    const server = handles.find(
      (handle): handle is Server =>
        handle instanceof Server && (handle.address() as AddressInfo | null)?.port === Number(port),
    );
    const failure = Object.assign(new Error('accept ENOBUFS'), { code: 'ENOBUFS' });
    server?.emit('error', failure);
    expect(errors).toEqual([{ err: failure }]);
    await request(other.url).get('/health').expect(200);
    await other.stop();
  });

  it('sends no response to malformed HTTP into a response that is in progress', async () => {
    const upstream = await startUpstream(({ res }) => void write(res, 'begun'));
    const { pathname, search, port } = new URL(locationOf(proxy, await post(proxy, `${upstream.url}/x`)));
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    const begun = new Promise<void>((resolve) =>
      socket.on('data', (bytes: Buffer) => {
        text += bytes.toString('latin1');
        if (text.includes('event: control')) resolve();
      }),
    );
    socket.write(`GET ${pathname}${search}&live=sse HTTP/1.1\r\nhost: x\r\n\r\n`);
    await begun;
    socket.write('this is not HTTP\r\n\r\n');
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
    await upstream.close();
  });

  it.each([-1, 65_536, 1.5, '80' as unknown as number])('rejects %s as a port', async (port) => {
    await expect(createProxyServer({ jwtSecret: SECRET, port })).rejects.toThrow(/port must be/);
  });
});
