import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { DurableStreamError } from '../errors.ts';
import { chatChunks, type ChatChunk, type ChatChunksOptions } from './chat-chunks.ts';

const START = { type: 'start' };
const FINISH = { type: 'finish' };
const text = (delta: string) => ({ type: 'text-delta', id: '1', delta });

function sse(...events: (object | string)[]): string {
  return events
    .map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`)
    .join('');
}

interface Read {
  readonly chunks: ChatChunk[];
  readonly error?: Error;
}

async function read(
  body: ReadableStream<Uint8Array>,
  options: Partial<ChatChunksOptions> = {},
): Promise<Read> {
  const reader = chatChunks(body, { answerId: 'msg-1', requireFinish: true, ...options }).getReader();
  const chunks: ChatChunk[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { chunks };
      chunks.push(value);
    }
  } catch (error) {
    return { chunks, error: error as Error };
  }
}

function bodyOf(content: string): ReadableStream<Uint8Array> {
  return new Response(content).body as ReadableStream<Uint8Array>;
}

function failing(content: string, error: Error): ReadableStream<Uint8Array> {
  let sent = false;
  return new ReadableStream({
    pull(controller) {
      if (sent) return controller.error(error);
      sent = true;
      controller.enqueue(new TextEncoder().encode(content));
    },
  });
}

describe('chatChunks', () => {
  it('adds a message id to a start chunk without one, and keeps an existing one', async () => {
    const without = await read(bodyOf(sse(START, FINISH, '[DONE]')));
    expect(without.chunks[0]).toEqual({ type: 'start', messageId: 'msg-1' });
    const withOne = await read(bodyOf(sse({ type: 'start', messageId: 'theirs' }, FINISH)));
    expect(withOne.chunks[0]).toEqual({ type: 'start', messageId: 'theirs' });
  });

  it('inserts a start chunk before early data if the backend sends none', async () => {
    const data = { type: 'data-weather', data: 1 };
    const { chunks } = await read(bodyOf(sse(data, text('a'), FINISH)));
    expect(chunks).toEqual([{ type: 'start', messageId: 'msg-1' }, data, text('a'), FINISH]);
  });

  it('forwards early data immediately and in order, under its own id, even if a late start has another id', async () => {
    const early = { type: 'data-plan', data: 1 };
    const passing = { type: 'data-note', data: 2, transient: true };
    const late = { type: 'start', messageId: 'x', messageMetadata: { model: 'm' } };
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const writer = body.writable.getWriter();
    const send = (...events: object[]) => void writer.write(new TextEncoder().encode(sse(...events)));
    const names: string[] = [];
    const reader = chatChunks(body.readable, {
      answerId: 'msg-1',
      requireFinish: true,
      onLateName: (id) => names.push(id),
    }).getReader();
    const next = async () => (await reader.read()).value;
    send(passing);
    expect(await next()).toEqual(passing);
    send(early, passing);
    expect([await next(), await next(), await next()]).toEqual([
      { type: 'start', messageId: 'msg-1' },
      early,
      passing,
    ]);
    send(late, FINISH);
    expect([await next(), await next()]).toEqual([
      { type: 'start', messageMetadata: { model: 'm' } },
      FINISH,
    ]);
    expect(names).toEqual(['x']);
  });

  it('forwards unknown types and later start chunks unchanged', async () => {
    const events = [{ type: 'start', messageId: 'm' }, { type: 'tool-telepathy', depth: [1] }, START, FINISH];
    const { chunks } = await read(bodyOf(sse(...events)));
    expect(chunks).toEqual(events);
  });

  it.each([
    ['in the middle', sse(START, text('a'))],
    ['in the middle of an event', sse(START, text('a')) + 'data: {"type":"fin'],
    ['with [DONE] alone', sse(START, text('a'), '[DONE]')],
    ['before anything', ''],
  ])('fails an answer that ends %s', async (_, content) => {
    const { error } = await read(bodyOf(content));
    expect(error).toMatchObject({ name: 'TruncatedAnswerError', code: 'ANSWER_TRUNCATED' });
  });

  it('accepts [DONE] as the end if requireFinish is false', async () => {
    const { chunks, error } = await read(bodyOf(sse(START, text('a'), '[DONE]')), { requireFinish: false });
    expect(error).toBeUndefined();
    expect(chunks.at(-1)).toEqual(text('a'));
  });

  it.each([FINISH, { type: 'abort' }, { type: 'error', errorText: 'x' }])('ends after %o', async (last) => {
    expect(await read(bodyOf(sse(START, last)))).toMatchObject({ chunks: [{}, last] });
  });

  it('creates no message for an answer that contains only an error', async () => {
    const { chunks } = await read(bodyOf(sse({ type: 'error', errorText: 'No.' })));
    expect(chunks).toEqual([{ type: 'error', errorText: 'No.' }]);
  });

  it('ends with an abort chunk if the answer was stopped on the server', async () => {
    const stopped = new DurableStreamError('ABORTED', 'Stopped.', { outcome: 'aborted' });
    const { chunks, error } = await read(failing(sse(START, text('a')), stopped));
    expect(error).toBeUndefined();
    expect(chunks.slice(1)).toEqual([text('a'), { type: 'abort' }]);
  });

  it('forwards other errors unchanged, after all chunks', async () => {
    const cut = new DurableStreamError('INTERRUPTED', 'Cut.', { outcome: 'interrupted' });
    const { chunks, error } = await read(failing(sse(START, text('a')), cut));
    expect(chunks.at(-1)).toEqual(text('a'));
    expect(error).toBe(cut);
  });

  it('never fails with a TypeError, which the SDKs interpret as a short disconnect', async () => {
    const { error } = await read(failing(sse(START), new TypeError('network error')));
    expect(error).toMatchObject({ name: 'TruncatedAnswerError', cause: { name: 'TypeError' } });
  });

  it.each(['no JSON', '42', '{"kind":"text"}'])('fails at %s', async (event) => {
    const { chunks, error } = await read(bodyOf(sse(START, event, FINISH)));
    expect(chunks).toHaveLength(1);
    expect(error?.name).toBe('MalformedAnswerError');
  });

  it('stops reading and cancels the body if its signal is aborted', async () => {
    const controller = new AbortController();
    let reason: unknown;
    const body = new ReadableStream<Uint8Array>({ cancel: (why) => void (reason = why) });
    const reading = read(body, { signal: controller.signal });
    controller.abort();
    expect((await reading).error?.name).toBe('AbortError');
    expect(reason).toMatchObject({ name: 'AbortError' });
  });

  it('reports its end once, and does not report a cancel by its reader', async () => {
    const ends: (Error | undefined)[] = [];
    const onEnd = (error: Error | undefined) => void ends.push(error);
    await read(bodyOf(sse(START, FINISH)), { onEnd });
    await read(bodyOf(sse(START)), { onEnd });
    const left = chatChunks(bodyOf(sse(START)), { answerId: 'a', requireFinish: true, onEnd });
    await left.cancel();
    expect(ends.map((error) => error?.name)).toEqual([undefined, 'TruncatedAnswerError']);
  });

  it('reports an error chunk as its end, and reads the rest after the SDK cancels', async () => {
    const ends: (Error | undefined)[] = [];
    const events = [START, { type: 'error', errorText: 'Overloaded.' }, FINISH];
    let isRead = false;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => controller.enqueue(new TextEncoder().encode(sse(...events))),
        pull(controller) {
          isRead = true;
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const stream = chatChunks(body, {
      answerId: 'a',
      requireFinish: true,
      onEnd: (error) => ends.push(error),
    }).getReader();
    await stream.read();
    await stream.read();
    await stream.cancel();
    await vi.waitFor(() => expect(isRead).toBe(true));
    expect(ends).toMatchObject([{ name: 'ModelError', message: 'Overloaded.', code: 'MODEL_FAILED' }]);
  });

  it('reads the same chunks for any split of the bytes', async () => {
    const events = [START, text('a\u00e9\u{1f600}'), { type: 'data-x', data: { lines: 'a\nb' } }, FINISH];
    const bytes = new TextEncoder().encode(`: hello\n\n${sse(...events, '[DONE]')}`);
    const expected = (await read(bodyOf(new TextDecoder().decode(bytes)))).chunks;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (cuts) => {
        let at = 0;
        let turn = 0;
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            if (at >= bytes.length) return controller.close();
            const size = cuts[turn++ % cuts.length] ?? 1;
            controller.enqueue(bytes.slice(at, at + size));
            at += size;
          },
        });
        expect(await read(body)).toEqual({ chunks: expected });
      }),
    );
  });
});
