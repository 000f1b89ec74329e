import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../core-client/storage.ts';
import { createDurableChatTransport, wasResumed } from '../../core-client/transports/index.ts';
import type { ChatChunk } from '../../core-client/transports/chat-chunks.ts';
import { withResolvers } from '../support/with-resolvers.ts';
import { answerWith, textAnswer } from './support/answers.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

const USER = { id: 'u1', role: 'user' as const, parts: [{ type: 'text' as const, text: 'Hello' }] };

function setUp(more: object = {}) {
  const chatId = `chat-${crypto.randomUUID()}`;
  const storage = new MemoryStorage();
  const options = { api: world.upstream.url, ...world.client, storage, ...more };
  const call = {
    trigger: 'submit-message' as const,
    chatId,
    messageId: undefined,
    messages: [USER],
    abortSignal: undefined,
  };
  return { chatId, storage, options, call, transport: createDurableChatTransport<typeof USER>(options) };
}

async function readAll(stream: unknown): Promise<ChatChunk[]> {
  const chunks: ChatChunk[] = [];
  const reader = (stream as ReadableStream<ChatChunk>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
  }
}

/** Reads the given number of chunks. */
async function readSome(stream: unknown, count: number) {
  const reader = (stream as ReadableStream<ChatChunk>).getReader();
  const chunks: ChatChunk[] = [];
  while (chunks.length < count) chunks.push((await reader.read()).value as ChatChunk);
  return { chunks, leave: () => reader.cancel() };
}

describe('sendMessages', () => {
  it('sends the same request as the transport of the SDK, with the given headers and fields', async () => {
    const { transport, call, chatId } = setUp({
      headers: async () => ({ Authorization: 'Bearer of-the-app', 'X-Tenant': 'a' }),
      body: () => ({ model: 'm', tone: 'dry' }),
    });
    const sent = transport.sendMessages({ ...call, headers: { 'x-tenant': 'b' }, body: { tone: 'warm' } });
    const exchange = await world.upstream.next();
    expect(exchange.body).toEqual({
      model: 'm',
      tone: 'warm',
      id: chatId,
      messages: [USER],
      trigger: 'submit-message',
    });
    expect(exchange.headers).toMatchObject({
      authorization: 'Bearer of-the-app',
      'x-tenant': 'b',
      'content-type': 'application/json',
    });
    answerWith(exchange, textAnswer('Hi'));
    const chunks = await readAll(await sent);
    expect(chunks).toEqual([
      { type: 'start', messageId: chunks[0]?.['messageId'] },
      ...textAnswer('Hi').slice(1),
    ]);
    expect(chunks[0]?.['messageId']).toMatch(/^msg-[0-9a-f-]{36}$/);
  });

  it('sends the request that prepareSendMessagesRequest returns', async () => {
    const { transport, call } = setUp({
      api: 'https://unused.example/',
      prepareSendMessagesRequest: ({ messages }: { messages: unknown[] }) => ({
        api: world.upstream.url,
        body: { last: messages.at(-1) },
        headers: { 'x-own': '1' },
      }),
    });
    const sent = transport.sendMessages(call);
    const exchange = await world.upstream.next();
    expect(exchange.body).toEqual({ last: USER });
    expect(exchange.headers['x-own']).toBe('1');
    answerWith(exchange, textAnswer('Hi'));
    await readAll(await sent);
  });

  it('rejects a relative api if there is no page', async () => {
    const { transport, call } = setUp({ api: '/api/chat' });
    await expect(transport.sendMessages(call)).rejects.toThrow('there is no page to resolve it against');
  });

  it('returns the unfinished answer for the same messages, and a new one after its end', async () => {
    const { transport, call } = setUp();
    const first = transport.sendMessages(call);
    const exchange = await world.upstream.next();
    exchange.begin().send(...textAnswer('one').slice(0, 4));
    const { leave } = await readSome(await first, 4);
    await leave();
    const again: unknown = await transport.sendMessages(call);
    expect(wasResumed(again as object)).toBe(true);
    exchange.send(...textAnswer('one').slice(4)).done();
    expect(await readAll(again)).toHaveLength(textAnswer('one').length);
    const next = transport.sendMessages(call);
    answerWith(await world.upstream.next(), textAnswer('two'));
    expect(wasResumed(await next)).toBe(false);
    expect(JSON.stringify(await readAll(await next))).toContain('two');
  });
});

describe('the abort signal', () => {
  it('stops reading, and the answer continues', async () => {
    const { transport, call, chatId } = setUp();
    const controller = new AbortController();
    const sent = transport.sendMessages({ ...call, abortSignal: controller.signal });
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('on').slice(0, 4));
    const stream = await sent;
    controller.abort();
    await expect(readAll(stream)).rejects.toMatchObject({ name: 'AbortError' });
    const resumed = await transport.reconnectToStream({ chatId });
    exchange.send(...textAnswer('on').slice(4)).done();
    expect(await readAll(resumed)).toHaveLength(7);
  });

  it('stops the answer with `abortUpstream`, even before it has started', async () => {
    for (const begin of [true, false]) {
      const { transport, call, chatId } = setUp({ abortUpstream: true });
      const controller = new AbortController();
      const sent = transport.sendMessages({ ...call, abortSignal: controller.signal });
      const exchange = await world.upstream.next();
      if (begin) {
        exchange.begin().send({ type: 'start' });
        await sent;
      }
      controller.abort();
      if (!begin) {
        await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
        exchange.begin().send({ type: 'start' });
      }
      await exchange.closed;
      expect(chatId).toBe(exchange.body['id']);
    }
  });

  it('ends a reconnect', async () => {
    const { options, call, chatId, transport } = setUp();
    const sent = transport.sendMessages(call);
    (await world.upstream.next()).begin().send({ type: 'start' });
    await (await readSome(await sent, 1)).leave();
    world.relay.down();
    const controller = new AbortController();
    const later = createDurableChatTransport(options);
    const reconnecting = later.reconnectToStream({ chatId, abortSignal: controller.signal });
    controller.abort();
    await expect(reconnecting).rejects.toMatchObject({ name: 'AbortError' });
    world.relay.up();
  });
});

describe('reconnectToStream', () => {
  it('replays the answer from its beginning, with the same message id', async () => {
    const { transport, options, call, chatId } = setUp();
    const sent = transport.sendMessages(call);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('a', 'b').slice(0, 4));
    const { chunks, leave } = await readSome(await sent, 4);
    await leave();
    const stream = await createDurableChatTransport(options).reconnectToStream({ chatId });
    expect(wasResumed(stream)).toBe(true);
    exchange.send(...textAnswer('a', 'b').slice(4)).done();
    const replayed = await readAll(stream);
    expect(replayed.slice(0, 4)).toEqual(chunks);
    expect(replayed).toHaveLength(8);
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('keeps the id of a message that the answer continues', async () => {
    const { transport, options, call, chatId } = setUp();
    const assistant = { id: 'a1', role: 'assistant' as const, parts: USER.parts };
    const messages = [USER, assistant] as never[];
    const sent = transport.sendMessages({ ...call, messages });
    (await world.upstream.next()).begin().send({ type: 'start' });
    const { chunks, leave } = await readSome(await sent, 1);
    await leave();
    expect(chunks).toEqual([{ type: 'start', messageId: 'a1' }]);
    const stream = await createDurableChatTransport(options).reconnectToStream({ chatId });
    expect((await readSome(stream, 1)).chunks).toEqual(chunks);
  });

  it('finds the answer of another device by the id of the chat until its end', async () => {
    const { transport, options, call, chatId } = setUp();
    const device = createDurableChatTransport({ ...options, storage: new MemoryStorage() });
    expect(await device.reconnectToStream({ chatId })).toBeNull();
    const sent = transport.sendMessages(call);
    const exchange = (await world.upstream.next()).begin().send({ type: 'start' });
    const stream = await device.reconnectToStream({ chatId });
    exchange.send({ type: 'finish' }).done();
    expect(await readAll(stream)).toHaveLength(2);
    await readAll(await sent);
    expect(await device.reconnectToStream({ chatId })).toBeNull();
    expect(await transport.reconnectToStream({ chatId })).toBeNull();
  });

  it('resumes by a custom request id', async () => {
    const { transport, options, call, chatId } = setUp({ getRequestId: () => 'mine' });
    const sent = transport.sendMessages(call);
    const exchange = (await world.upstream.next()).begin().send({ type: 'start' });
    await (await readSome(await sent, 1)).leave();
    const stream = await createDurableChatTransport(options).reconnectToStream({ chatId });
    exchange.send({ type: 'finish' }).done();
    expect(await readAll(stream)).toHaveLength(2);
  });
});

describe('abort', () => {
  it('stops the answer on the server permanently, for all its readers', async () => {
    const { transport, options, call, chatId } = setUp();
    const sent = transport.sendMessages(call);
    const exchange = (await world.upstream.next()).begin().send({ type: 'start' });
    const stream = await sent;
    await transport.abort(chatId);
    await exchange.closed;
    expect(await readAll(stream)).toEqual([
      { type: 'start', messageId: expect.any(String) as string },
      { type: 'abort' },
    ]);
    expect(await createDurableChatTransport(options).reconnectToStream({ chatId })).toBeNull();
    expect(transport.resumption.getSnapshot()).toMatchObject({ status: 'aborted', outcome: 'aborted' });
  });
});

describe('a message whose token is awaited', () => {
  it.each(['abort', 'forget'] as const)('is not sent after %s()', async (name) => {
    const token = withResolvers<string>();
    const asked = withResolvers();
    const { transport, storage, call, chatId } = setUp({
      proxyAuthorization: () => {
        asked.resolve();
        return token.promise;
      },
    });
    const sent = transport.sendMessages(call);
    await asked.promise;
    const ended = name === 'abort' ? transport.abort(chatId) : transport.forget();
    token.resolve(world.client.proxyAuthorization);
    await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
    await ended;
    expect(world.upstream.exchanges).toEqual([]);
    expect([...storage.keys()]).toEqual([]);
  });
});
