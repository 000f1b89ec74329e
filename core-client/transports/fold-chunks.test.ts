import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { foldChunks, type ChatChunk } from './fold-chunks.ts';
import { readJsonEvents } from './json-events.ts';
import { nextTurn } from './next-turn.ts';

const encoder = new TextEncoder();
const sse = (chunks: readonly object[]): Uint8Array =>
  encoder.encode(chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join(''));

async function fold(body: ReadableStream<Uint8Array>): Promise<ChatChunk[]> {
  const folded = foldChunks(readJsonEvents(body), (event) => event as ChatChunk);
  const chunks: ChatChunk[] = [];
  for (let chunk = await folded.next(); chunk; chunk = await folded.next()) chunks.push(chunk);
  return chunks;
}

const text = (id: string, delta: string) => ({ type: 'text-delta', id, delta });

/** Returns the chunks in order, with consecutive deltas of one part merged. */
function meaning(chunks: readonly ChatChunk[]): unknown[] {
  const all: [string, string][] = [];
  for (const { type, id, toolCallId, delta, inputTextDelta, ...rest } of chunks) {
    const key = JSON.stringify([type, id ?? toolCallId, type.endsWith('-delta') ? null : rest]);
    const value = (delta ?? inputTextDelta ?? '') as string;
    const last = all.at(-1);
    if (last && last[0] === key && type.endsWith('-delta')) last[1] += value;
    else all.push([key, value]);
  }
  return all;
}

describe('foldChunks', () => {
  it('merges the deltas of one part that are available, and no others', async () => {
    const chunks = [
      text('1', 'a'),
      { ...text('1', 'b'), providerMetadata: { m: { n: 1 } } },
      text('1', 'c'),
      text('2', 'd'),
      { type: 'reasoning-delta', id: '2', delta: 'e' },
      { type: 'reasoning-delta', id: '2', delta: 'f' },
      { type: 'data-x', data: 1 },
      { type: 'data-x', data: 1 },
      { type: 'tool-input-delta', toolCallId: 'c', inputTextDelta: '{' },
      { type: 'tool-input-delta', toolCallId: 'c', inputTextDelta: '}' },
    ];
    expect(await fold(new Response(sse(chunks) as BodyInit).body!)).toEqual([
      { type: 'text-delta', id: '1', delta: 'abc', providerMetadata: { m: { n: 1 } } },
      text('2', 'd'),
      { type: 'reasoning-delta', id: '2', delta: 'ef' },
      { type: 'data-x', data: 1 },
      { type: 'data-x', data: 1 },
      { type: 'tool-input-delta', toolCallId: 'c', inputTextDelta: '{}' },
    ]);
  });

  it('forwards a delta without waiting for the next', async () => {
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const writer = body.writable.getWriter();
    const folded = foldChunks(readJsonEvents(body.readable), (event) => event as ChatChunk);
    for (const delta of ['a', 'b', 'c']) {
      void writer.write(sse([text('1', delta)]));
      expect(await folded.next()).toEqual(text('1', delta));
    }
  });

  it('yields to the event loop after 16 ms of work', async () => {
    const chunks = Array.from({ length: 50 }, (_, index) => ({ type: 'data-x', data: index }));
    const folded = foldChunks(
      readJsonEvents(new Response(sse(chunks) as BodyInit).body!),
      (event) => event as ChatChunk,
    );
    let turns = 0;
    const timer = setInterval(() => turns++);
    for (let chunk = await folded.next(); chunk; chunk = await folded.next()) {
      // The work of the SDK and the page for a chunk.
      const until = performance.now() + 4;
      while (performance.now() < until);
    }
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(8);
  });

  it('turns a replay of 20,000 deltas into few updates, and few of them per turn of the event loop', async () => {
    const deltas = Array.from({ length: 20_000 }, (_, index) => text('1', `word ${index} `));
    const bytes = sse(deltas);
    let at = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(at, (at += 64 * 1024)));
      },
    });
    // Only updates advance this clock, each by 4 ms.
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const folded = foldChunks(readJsonEvents(body), (event) => event as ChatChunk);
    let [updates, inTurn, mostInTurn, isOver] = [0, 0, 0, false];
    const counting = (async () => {
      while (!isOver) {
        await nextTurn();
        mostInTurn = Math.max(mostInTurn, inTurn);
        inTurn = 0;
      }
    })();
    let received = '';
    for (let chunk = await folded.next(); chunk; chunk = await folded.next()) {
      received += String(chunk['delta']);
      updates++;
      inTurn++;
      now += 4;
    }
    isOver = true;
    await counting;
    vi.restoreAllMocks();
    expect(received).toBe(deltas.map(({ delta }) => delta).join(''));
    expect(updates).toBeLessThanOrEqual(Math.ceil(bytes.length / (64 * 1024)) + 1);
    // 16 ms are four updates. One more may be in progress.
    expect(mostInTurn).toBeLessThanOrEqual(6);
  });

  it('keeps all chunks and their order for any timing of arrival', async () => {
    const chunk = fc.oneof(
      fc.record({ type: fc.constant('text-delta'), id: fc.constantFrom('1', '2'), delta: fc.string() }),
      fc.record({ type: fc.constant('reasoning-delta'), id: fc.constantFrom('1', '2'), delta: fc.string() }),
      fc.record({
        type: fc.constant('tool-input-delta'),
        toolCallId: fc.constantFrom('1', '2'),
        inputTextDelta: fc.string(),
      }),
      fc.record({ type: fc.constant('data-x'), data: fc.integer() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(chunk), fc.array(fc.nat(3)), async (chunks, gaps) => {
        let at = 0;
        const body = new ReadableStream<Uint8Array>({
          async pull(controller) {
            if (at >= chunks.length) return controller.close();
            const size = gaps[at] ?? 1;
            if (size === 0) await new Promise((resolve) => setImmediate(resolve));
            controller.enqueue(sse(chunks.slice(at, at + Math.max(1, size))));
            at += Math.max(1, size);
          },
        });
        expect(meaning(await fold(body))).toEqual(meaning(chunks));
      }),
    );
  });

  it('forwards all chunks before a failure', async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(sse([text('1', 'a')])),
      pull: (controller) => controller.error(new Error('cut')),
    });
    const folded = foldChunks(readJsonEvents(body), (event) => event as ChatChunk);
    expect(await folded.next()).toEqual(text('1', 'a'));
    await expect(folded.next()).rejects.toThrow('cut');
  });
});
