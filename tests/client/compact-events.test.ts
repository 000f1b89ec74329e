import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';
import { readSse } from '../../core-client/sse-reader.ts';
import { SseEncoder } from '../../server/read/sse-frames.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import * as released from '../releases/0.1.mjs';
import { SECRET, startProxy, temporaryFolder } from '../support/proxy.ts';
import { startRelay } from '../support/relay.ts';
import { startUpstream, write, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, withQuery } from '../support/wire.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(handler: (call: UpstreamCall) => void): Promise<string> {
  const upstream = await startUpstream(handler);
  cleanups.push(() => upstream.close());
  return upstream.url;
}

async function startThisVersion(): Promise<string> {
  const proxy = await startProxy();
  cleanups.push(() => proxy.stop({ drainMs: 0 }));
  return proxy.url;
}

async function startReleased(): Promise<string> {
  const folder = await temporaryFolder();
  const store = released.embeddedStore({ dataDir: folder.path });
  const allowlist = ['http://127.0.0.1:*/**'];
  const options = { port: 0, host: '127.0.0.1', jwtSecret: SECRET, allowlist, store, logger: silentLogger };
  const server = await released.createProxyServer(options);
  cleanups.push(
    folder.remove,
    () => store.dispose(),
    () => server.stop({ drainMs: 0 }),
  );
  return server.url;
}

/** Splits bytes at random positions. */
function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

function streamOf(pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

it('[COMPACT-1][COMPACT-2] any bytes, cut at any boundaries, arrive unchanged at every offset', async () => {
  const text = fc.stringMatching(/^[\n\r :a\0\ufeff\u2028ü💩]{0,40}$/u);
  const content = fc.oneof(
    text.map((each) => Buffer.from(each)),
    fc.uint8Array({ maxLength: 80 }),
  );
  const cutsOf = fc.array(fc.nat(), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(content, cutsOf, cutsOf, async (bytes, chunkCuts, networkCuts) => {
      const encoder = new SseEncoder();
      let position = 0;
      const chunks = split(bytes, chunkCuts).filter(({ length }) => length > 0);
      const wire = chunks.map((chunk) => {
        position += chunk.length;
        return encoder.encodeCompact({ bytes: chunk, next: `at-${position}`, upToDate: false });
      });
      const pieces = split(Buffer.from(wire.join(''), 'latin1'), networkCuts);
      const reader = readSse(new Response(streamOf(pieces)), 10_000);
      let received = Buffer.alloc(0);
      for (let part = await reader.next(); part; part = await reader.next()) {
        received = Buffer.concat([received, part.bytes]);
        expect(part.control.streamNextOffset).toBe(`at-${received.length}`);
      }
      reader.close();
      expect(received).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 200 },
  );
});

it('[COMPACT-3] an event of 200 bytes takes at most 300 bytes on the wire', async () => {
  const event = `data: ${'x'.repeat(192)}\n\n`;
  const url = await serve(({ res }) => void write(res, event));
  const proxy = await startProxy();
  cleanups.push(() => proxy.stop({ drainMs: 0 }));
  const location = locationOf(proxy, await post(proxy, url));
  const response = await fetch(withQuery(location, { live: 'sse', events: 'compact' }));
  const reader = response.body!.getReader();
  let wire = '';
  while (!wire.endsWith('200\n\n')) wire += Buffer.from((await reader.read()).value!).toString();
  await reader.cancel();
  const events = wire.replace(/^:.*\n\n/gm, '');
  expect(events).toMatch(/^data: data: x+\ndata: \ndata: \nid: 0+200\n\n$/);
  // A chunk of HTTP/1.1 adds its length in hexadecimal and two line ends.
  expect(events.length + 6).toBeLessThanOrEqual(300);
});

it.each([
  { version: 'this version', start: startThisVersion, isCompact: true },
  { version: 'version 0.1', start: startReleased, isCompact: false },
])('[CLIENT-14] reads an answer of $version over connections that are cut', async ({ start, isCompact }) => {
  // With full jitter, a delay of zero is possible.
  vi.spyOn(Math, 'random').mockReturnValue(0);
  const parts = [
    'data: {"text":"größe"}\n\n',
    'a\r\nb',
    Buffer.from([0xf0, 0x9f]),
    Buffer.from([0x92, 0xa9]),
  ];
  let sent = 0;
  let next: () => void = () => undefined;
  const url = await serve(({ res }) => {
    next = () => void (sent < parts.length ? res.write(parts[sent++]!) : res.end());
    next();
  });
  const relay = await startRelay(await start(), () => undefined);
  cleanups.push(() => relay.close());
  const wire: string[] = [];
  const recording: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const [body, copy] = response.body?.tee() ?? [];
    const { status, headers } = response;
    void copy
      ?.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write: (text) => void wire.push(text) }))
      .catch(() => undefined);
    return new Response(body, { status, headers });
  };
  const durableFetch = createDurableFetch({
    proxyUrl: `${relay.url}/v1/proxy`,
    proxyAuthorization: SECRET,
    storage: new MemoryStorage(),
    fetch: recording,
  });
  const reader = (await durableFetch(url, { method: 'POST' })).body!.getReader();
  const received: Uint8Array[] = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    received.push(part.value);
    relay.cutAll();
    next();
  }
  expect(Buffer.concat(received)).toEqual(Buffer.concat(parts.map((part) => Buffer.from(part as string))));
  expect(received).toHaveLength(parts.length);
  expect(relay.cuts).toBeGreaterThan(1);
  expect(wire.join('').includes('event: data')).toBe(!isCompact);
});
