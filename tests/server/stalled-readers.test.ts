import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { afterEach, describe, expect, it } from 'vitest';
import {
  PREFER,
  PREFERENCE_APPLIED,
  RETURN_REPRESENTATION,
  STREAM_CLOSED,
  STREAM_NEXT_OFFSET,
} from '../../protocol/headers.ts';
import type { DurableProxyOptions } from '../../server/index.ts';
import { createRouter } from '../support/proxy.ts';
import { startUpstream, write, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** More than all socket buffers hold. */
const LARGE = 32 * 1_048_576;
const STALL_MS = 300;

/** Starts a proxy in an app whose server-side connections are visible to the test. */
async function begin(options: Partial<DurableProxyOptions>, handler: (call: UpstreamCall) => void) {
  const upstream = await startUpstream(handler);
  const { proxy, close } = await createRouter({ durability: 'process', ...options });
  const sockets: Socket[] = [];
  const app = express().use('/v1/proxy', proxy);
  const server = createServer(app).on('connection', (socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(
    () => upstream.close(),
    close,
    async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  );
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target = { url, base: `${url}/v1/proxy` };
  const create = async () => locationOf(target, await post(target, `${upstream.url}/x`));

  /** Sends a GET and reads nothing. Returns the server's end of the connection too. */
  async function stalled(address: string) {
    const { pathname, search, port, hostname } = new URL(address);
    const before = sockets.length;
    const client = connect(Number(port), hostname).on('error', () => undefined);
    cleanups.push(async () => client.destroy());
    await once(client, 'connect');
    client.pause().write(`GET ${pathname}${search} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await expect.poll(() => sockets.length).toBe(before + 1);
    const served = sockets[before]!;
    return { client, closed: once(served, 'close') };
  }
  /** Bytes that the server buffers for clients. */
  const heldBytes = (): number => sockets.reduce((sum, socket) => sum + socket.writableLength, 0);
  return { upstream, target, create, stalled, heldBytes };
}

describe('readerStallTimeoutMs', () => {
  it.each([['live=sse'], ['live=long-poll'], ['offset=-1']])(
    '[READ-19] disconnects a stalled client of %s',
    async (query) => {
      const options = { readerStallTimeoutMs: STALL_MS, maxReadBytes: LARGE };
      const { create, stalled } = await begin(options, ({ res }) => res.end(Buffer.alloc(LARGE, 'x')));
      const location = await create();
      await readSse(await fetch(withQuery(location, { live: 'sse' })));
      const { closed } = await stalled(`${location}&${query}`);
      await closed;
    },
  );

  it('[READ-19] disconnects a client that stalls before the stream is closed, and one after', async () => {
    const { create, stalled, upstream } = await begin({ readerStallTimeoutMs: STALL_MS }, ({ res }) => {
      void write(res, Buffer.alloc(LARGE, 'x'));
    });
    const location = await create();
    await (
      await stalled(`${location}&live=sse`)
    ).closed;
    (await upstream.call(0)).res.end();
    await (
      await stalled(`${location}&live=sse`)
    ).closed;
  });

  it('[READ-19] does not disconnect a slow client that reads parts of a large write', async () => {
    const options = { readerStallTimeoutMs: STALL_MS, maxReadBytes: LARGE };
    const { create, stalled } = await begin(options, ({ res }) => res.end(Buffer.alloc(LARGE, 'x')));
    const location = await create();
    await readSse(await fetch(withQuery(location, { live: 'sse' })));
    const { client } = await stalled(location);
    let bytes = 0;
    let next = LARGE / 32;
    client.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes < next) return;
      next += LARGE / 32;
      client.pause();
      void delay(STALL_MS / 6).then(() => client.resume());
    });
    client.resume();
    await expect.poll(() => bytes > LARGE, { timeout: 20_000 }).toBe(true);
  });

  it('does not disconnect a reader that waits longer for the upstream', async () => {
    const options = { readerStallTimeoutMs: 50, keepAliveMs: 60_000 };
    const { create, upstream } = await begin(options, ({ res }) => void write(res, 'a'));
    const reading = fetch(withQuery(await create(), { live: 'sse' })).then((response) => readSse(response));
    await delay(200);
    (await upstream.call(0)).res.end('b');
    expect((await reading).bytes.toString()).toBe('ab');
  });
});

describe('limits on readers', () => {
  it('[READ-18] maxReadersPerStream rejects the next read of that stream with Retry-After', async () => {
    const { create } = await begin({ maxReadersPerStream: 1 }, ({ res }) => void write(res, 'a'));
    const [location, other] = [await create(), await create()];
    const leaving = new AbortController();
    await fetch(withQuery(location, { live: 'sse' }), { signal: leaving.signal });
    for (const query of [{ live: 'sse' }, { live: 'long-poll' }, { offset: '-1' }] as Record<
      string,
      string
    >[]) {
      const over = await fetch(withQuery(location, query));
      expect(over.status).toBe(429);
      expect(over.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await codeOf(over)).toBe('TOO_MANY_READERS');
    }
    expect((await fetch(other)).status).toBe(200);
    leaving.abort();
    await expect.poll(async () => (await fetch(location)).status).toBe(200);
  });

  it('[READ-18] maxReaders omits the body of a create, but creates the stream', async () => {
    const { create, target, upstream } = await begin({ maxReaders: 1 }, ({ res }) => void write(res, 'a'));
    await fetch(withQuery(await create(), { live: 'sse' }));
    const headers = { [PREFER]: RETURN_REPRESENTATION };
    const created = await post(target, `${upstream.url}/x`, { headers });
    expect(created.status).toBe(201);
    expect(created.headers.get(PREFERENCE_APPLIED)).toBeNull();
    expect(await created.text()).toBe('');
    expect((await fetch(locationOf(target, created))).status).toBe(429);
  });

  it('a finished read releases its slot, also on a keep-alive connection', async () => {
    const { create } = await begin({ maxReaders: 1 }, ({ res }) => res.end('a'));
    const location = await create();
    for (let i = 0; i < 5; i += 1) {
      await expect
        .poll(async () => {
          const response = await fetch(location);
          return [response.status, await response.text()];
        })
        .toEqual([200, 'a']);
    }
  });
});

describe('maxReadBufferBytes', () => {
  it.each([['offset=-1'], ['live=long-poll']])(
    '[READ-11] 200 stalled readers (%s) use bounded memory and do not affect others',
    { timeout: 60_000 },
    async (query) => {
      const [maxReadBufferBytes, readers] = [LARGE, 200];
      let ended = 0;
      const { create, heldBytes } = await begin(
        {
          maxReadBytes: LARGE,
          maxReadBufferBytes,
          onEvent: ({ type }) => (ended += Number(type === 'read-ended')),
        },
        ({ res }) => res.end(Buffer.alloc(LARGE, 'x')),
      );
      const location = await create();
      await readSse(await fetch(withQuery(location, { live: 'sse' })));
      const sizeOf = async (offset: string) =>
        (await (await fetch(withQuery(location, { offset }))).arrayBuffer()).byteLength;
      expect(await sizeOf('-1')).toBe(LARGE / 4);

      const others = ended;
      const { pathname, search, port, hostname } = new URL(`${location}&${query}`);
      const clients = Array.from({ length: readers }, () => {
        const client = connect(Number(port), hostname).on('error', () => undefined);
        client.pause().write(`GET ${pathname}${search} HTTP/1.1\r\nhost: x\r\n\r\n`);
        return client;
      });
      cleanups.push(async () => clients.forEach((client) => client.destroy()));
      await expect.poll(() => ended - others, { timeout: 40_000 }).toBe(readers);
      // The rest is in buffers of the operating system.
      expect(heldBytes()).toBeLessThanOrEqual(maxReadBufferBytes + readers * 65_536);

      let read = 0;
      for (let offset = '-1', isClosed = false; !isClosed;) {
        const page = await fetch(withQuery(location, { offset }));
        read += (await page.arrayBuffer()).byteLength;
        offset = page.headers.get(STREAM_NEXT_OFFSET)!;
        isClosed = page.headers.get(STREAM_CLOSED) === 'true';
      }
      expect(read).toBe(LARGE);

      for (const client of clients) client.destroy();
      await expect.poll(() => sizeOf('-1'), { timeout: 10_000 }).toBe(LARGE / 4);
    },
  );
});
