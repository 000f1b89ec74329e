import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { STREAM_SSE_DATA_ENCODING } from '../protocol/headers.ts';
import type { StreamPart } from './sse-parts.ts';
import { readSse } from './sse-reader.ts';

/** A response that sends chunks, then ends or stays open. */
function response(
  chunks: readonly Uint8Array[],
  headers: Record<string, string> = {},
  isOpen = false,
): Response {
  const rest = [...chunks];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = rest.shift();
      if (chunk) controller.enqueue(chunk);
      else if (!isOpen) controller.close();
      else return new Promise(() => {});
    },
  });
  return new Response(body, { headers });
}

const encode = (text: string) => new TextEncoder().encode(text);
const control = (fields: object) => `event: control\ndata: ${JSON.stringify(fields)}\n\n`;
const base64 = (bytes: Uint8Array) =>
  `event: data\n${
    Buffer.from(bytes)
      .toString('base64')
      .replace(/.{1,20}/g, 'data:$&\r\n') || 'data:\n'
  }\n`;
const BASE64 = { [STREAM_SSE_DATA_ENCODING]: 'base64' };

async function all(given: Response): Promise<StreamPart[]> {
  const reader = readSse(given, 10_000);
  const frames: StreamPart[] = [];
  for (let frame = await reader.next(); frame; frame = await reader.next()) frames.push(frame);
  return frames;
}

function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

afterEach(() => {
  vi.useRealTimers();
});

describe('readSse', () => {
  it('returns the same bytes and offsets for any split by the network', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 80 }), { maxLength: 6 }),
        fc.array(fc.nat(5000), { maxLength: 12 }),
        async (parts, cuts) => {
          const wire = parts.map(
            (part, at) => base64(part) + ': alive\n\n' + control({ streamNextOffset: `o${at}` }),
          );
          const frames = await all(response(split(encode(wire.join('')), cuts), BASE64));
          expect(frames.map(({ bytes }) => [...bytes])).toEqual(parts.map((part) => [...part]));
          expect(frames.map((frame) => frame.control.streamNextOffset)).toEqual(
            parts.map((_, at) => `o${at}`),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('reads text frames if the server sends no base64', async () => {
    const wire = 'event: data\ndata: größe\ndata:\ndata:  €\n\n' + control({ streamNextOffset: '1' });
    const [frame] = await all(response([...encode(wire)].map((byte) => Uint8Array.of(byte))));
    expect(new TextDecoder().decode(frame?.bytes)).toBe('größe\n\n €');
  });

  it('buffers data until its control event, and drops data without one', async () => {
    const wire = base64(encode('whole')) + control({ streamNextOffset: '1' }) + base64(encode('half'));
    const frames = await all(response([encode(wire)], BASE64));
    expect(frames.map(({ bytes }) => new TextDecoder().decode(bytes))).toEqual(['whole']);
  });

  it('joins the events before a control event, and reports the close with the last bytes', async () => {
    const wire =
      base64(encode('a')) +
      base64(encode('bc')) +
      control({ streamNextOffset: '1' }) +
      control({ streamNextOffset: '1', streamClosed: true, upstreamOutcome: 'complete' });
    const frames = await all(response([encode(wire)], BASE64));
    expect(frames).toHaveLength(1);
    expect(new TextDecoder().decode(frames[0]?.bytes)).toBe('abc');
    expect(frames[0]?.control).toMatchObject({ streamClosed: true, upstreamOutcome: 'complete' });
  });

  it('ignores unknown events and fields', async () => {
    const wire =
      'event: news\ndata: x\nid: 4\nretry: 1\nfoo: bar\n\n' + control({ streamNextOffset: '1', more: {} });
    expect(await all(response([encode(wire)], BASE64))).toHaveLength(1);
  });

  it('fails if the data is not base64', async () => {
    const wire = 'event: data\ndata: %%%\n\n' + control({ streamNextOffset: '1' });
    await expect(all(response([encode(wire)], BASE64))).rejects.toThrow();
  });

  it('runs the heartbeat timeout only while it waits for the server', async () => {
    vi.useFakeTimers();
    const wire = encode(base64(encode('a')) + control({ streamNextOffset: '1' }));
    const reader = readSse(response([wire], BASE64, true), 1_000);
    await reader.next();
    await vi.advanceTimersByTimeAsync(60_000);
    const next = reader.next();
    const rejection = expect(next).rejects.toThrow('silent');
    await vi.advanceTimersByTimeAsync(999);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    await rejection;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('detects a silent connection if the clock was set back', async () => {
    vi.useFakeTimers();
    const rejection = expect(readSse(response([], BASE64, true), 30_000).next()).rejects.toThrow('silent');
    // More than a timer can wait.
    vi.setSystemTime(Date.now() - 2 ** 32);
    await vi.advanceTimersByTimeAsync(60_000);
    await rejection;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('closes a connection after a sleep only if it missed a keep-alive', async () => {
    vi.useFakeTimers();
    const wire = encode(base64(encode('a')) + control({ streamNextOffset: '1' }));
    const reader = readSse(response([wire], BASE64, true), 30_000);
    await reader.next();
    const next = reader.next();
    const rejection = expect(next).rejects.toThrow('silent');
    await vi.advanceTimersByTimeAsync(10_000);
    reader.check();
    expect(vi.getTimerCount()).toBe(1);
    vi.setSystemTime(Date.now() + 3_600_000);
    reader.check();
    await rejection;
  });

  it('ends a pending read and clears its timer in the same turn when it is closed', async () => {
    vi.useFakeTimers();
    const reader = readSse(response([], BASE64, true), 30_000);
    const next = reader.next();
    reader.close();
    expect(await next).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});
