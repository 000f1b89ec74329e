import { stream, type LiveMode } from '@durable-streams/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { hasRecordings, recording } from '../support/recordings.ts';
import { seeded } from '../support/random.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post } from '../support/wire.ts';

const TEXT = 'data: {"delta":"Straße 你好 💡"}\r\n\r\n'.repeat(300);
const random = seeded(1);
const BINARY = Buffer.from(Array.from({ length: 70_000 }, () => Math.floor(random() * 256)));

const bodies: [name: string, contentType: string, bytes: Buffer][] = [
  ['text', 'text/event-stream', Buffer.from(TEXT)],
  ['json', 'application/json', Buffer.from(JSON.stringify({ text: TEXT }))],
  ['binary', 'application/octet-stream', BINARY],
];
if (hasRecordings) bodies.push(['a recorded answer', 'text/event-stream', recording('anthropic-text')]);

const modes: [name: string, live: LiveMode][] = [
  ['catch-up', false],
  ['long-poll', 'long-poll'],
  ['SSE', 'sse'],
];

let proxy: TestProxy;
let upstream: Upstream;
/** Handles the next call of the upstream. */
let answer: (call: UpstreamCall) => void;

beforeAll(async () => {
  proxy = await startProxy({ maxReadBytes: 10_000, longPollTimeoutMs: 1_000 });
  upstream = await startUpstream((call) => answer(call));
});
afterAll(async () => {
  await proxy.stop({ drainMs: 0 });
  await upstream.close();
});

async function create(): Promise<string> {
  const response = await post(proxy, `${upstream.url}/answer`);
  expect(response.status).toBe(201);
  return locationOf(proxy, response);
}

/**
 * Reads everything from an offset to the end with a client of the base protocol. Without a live mode the client makes
 * one request, so a long stream takes several calls.
 */
async function readAll(url: string, live: LiveMode, from?: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let offset = from;
  for (;;) {
    const response = await stream({ url, live, ...(offset !== undefined && { offset }) });
    // Its `bodyStream` may drop the last piece if the closing arrives with it; this does not.
    const isOver = await new Promise<boolean>((resolve) => {
      response.subscribeBytes(({ data, offset: next, streamClosed }) => {
        chunks.push(data);
        offset = next;
        if (streamClosed || live === false) resolve(streamClosed);
      });
    });
    if (isOver) return Buffer.concat(chunks);
    expect(live).toBe(false);
  }
}

describe.each(modes)('@durable-streams/client reads our streams by %s', (_, live) => {
  it.each(bodies)(
    '%s that is closed, from the beginning and from every offset',
    async (_name, contentType, bytes) => {
      answer = ({ res }) => res.writeHead(200, { 'content-type': contentType }).end(bytes);
      const url = await create();
      expect((await readAll(url, 'sse')).equals(bytes)).toBe(true);
      expect((await readAll(url, live)).equals(bytes)).toBe(true);
      expect((await readAll(url, live, '-1')).equals(bytes)).toBe(true);

      let offset = '-1';
      for (let at = 0; at < bytes.length;) {
        const piece = await fetch(`${url}&offset=${offset}`);
        at += (await piece.arrayBuffer()).byteLength;
        offset = piece.headers.get(STREAM_NEXT_OFFSET)!;
        expect((await readAll(url, live, offset)).equals(bytes.subarray(at))).toBe(true);
      }
    },
  );

  it('an empty stream', async () => {
    answer = ({ res }) => res.writeHead(204).end();
    expect(await readAll(await create(), live)).toHaveLength(0);
  });
});

describe.each(modes.slice(1))('@durable-streams/client follows our streams by %s', (_, live) => {
  it.each(bodies)(
    '%s while it is being written, from the beginning and from now',
    async (_name, contentType, bytes) => {
      let call!: UpstreamCall;
      const called = new Promise<void>((resolve) => {
        answer = (given) => {
          call = given;
          given.res.writeHead(200, { 'content-type': contentType }).flushHeaders();
          resolve();
        };
      });
      const url = await create();
      await called;
      const half = Math.floor(bytes.length / 2);
      const whole = await stream({ url, live });
      const chunks: Uint8Array[] = [];
      let received = 0;
      let end!: () => void;
      const closed = new Promise<void>((resolve) => (end = resolve));
      const atHalf = new Promise<string>((resolve) => {
        whole.subscribeBytes(({ data, offset, streamClosed }) => {
          chunks.push(data);
          received += data.length;
          if (received === half) resolve(offset);
          if (streamClosed) end();
        });
      });
      await write(call.res, bytes.subarray(0, half));
      const rest = readAll(url, live, await atHalf);
      for (let at = half; at < bytes.length; at += 5_000)
        await write(call.res, bytes.subarray(at, at + 5_000));
      call.res.end();
      await closed;
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      expect((await rest).equals(bytes.subarray(half))).toBe(true);
    },
  );
});

it('@durable-streams/client reports an invalid URL and a missing stream', async () => {
  answer = ({ res }) => res.end('x');
  const url = await create();
  const forged = url.replace(/signature=[^&]*/, 'signature=x');
  await expect(stream({ url: forged, live: false })).rejects.toMatchObject({ status: 401 });
  await fetch(url.split('?')[0]!, { method: 'DELETE', headers: { authorization: `Bearer ${SECRET}` } });
  await expect(stream({ url, live: false })).rejects.toMatchObject({ status: 404 });
});
