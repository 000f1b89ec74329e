import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProxyEvent } from '../../server/index.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** More than all socket buffers hold, so that a client that does not read stalls. */
const LARGE = 32 * 1_048_576;

async function begin(handler: (call: UpstreamCall) => void) {
  const events: ProxyEvent[] = [];
  const upstream: Upstream = await startUpstream(handler);
  const proxy: TestProxy = await startProxy({
    onEvent: (event) => events.push(event),
    durability: 'process',
  });
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  const location = locationOf(proxy, await post(proxy, `${upstream.url}/x`));
  const ended = () => events.filter((event) => event.type === 'read-ended');
  return { upstream, location, ended };
}

/** Starts a live read and reads nothing. */
async function stuckReader(location: string): Promise<Socket> {
  const url = new URL(withQuery(location, { live: 'sse' }));
  const socket = connect(Number(url.port), url.hostname);
  await once(socket, 'connect');
  socket.pause().write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return socket;
}

describe('readers', () => {
  it('get the first bytes before the upstream sends more', async () => {
    const { location } = await begin(({ res }) => void write(res, 'first'));
    const { bytes } = await readSse(
      await fetch(withQuery(location, { live: 'sse' })),
      ({ bytes }) => bytes.length > 0,
    );
    expect(bytes.toString()).toBe('first');
  });

  it('get the same bytes whenever they start', async () => {
    const { upstream, location } = await begin(({ res }) => void write(res, 'early, '));
    const read = () => fetch(withQuery(location, { live: 'sse' })).then((response) => readSse(response));
    const early = Array.from({ length: 10 }, read);
    const { res } = await upstream.call(0);
    await write(res, 'middle, ');
    const middle = Array.from({ length: 10 }, read);
    res.end('end');
    const late = Array.from({ length: 10 }, read);
    for (const { bytes } of await Promise.all([...early, ...middle, ...late])) {
      expect(bytes.toString()).toBe('early, middle, end');
    }
  });

  it('that are stalled delay neither the upstream nor other readers, and use bounded memory', async () => {
    const { location } = await begin(({ res }) => res.end(Buffer.alloc(LARGE, 'x')));
    const stuck = await Promise.all(Array.from({ length: 20 }, () => stuckReader(location)));
    const before = process.memoryUsage().arrayBuffers;
    const { bytes } = await readSse(await fetch(withQuery(location, { live: 'sse' })));
    expect(bytes.length).toBe(LARGE);
    // Twenty copies of the response would be 640 MB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * LARGE);
    for (const socket of stuck) socket.destroy();
  });

  it('are released at once when they disconnect, also while they are stalled', async () => {
    const { location, ended } = await begin(({ res }) => void write(res, Buffer.alloc(LARGE, 'x')));
    const leaving = new AbortController();
    const live = await fetch(withQuery(location, { live: 'sse' }), { signal: leaving.signal });
    await live.body!.getReader().read();
    leaving.abort();
    await expect.poll(() => ended().length).toBe(1);
    const stuck = await stuckReader(location);
    await once(stuck, 'readable');
    stuck.destroy();
    await expect.poll(() => ended().length).toBe(2);
  });
});
