// @vitest-environment jsdom
import { localStoragePersistence, useChat } from '@tanstack/ai-react';
import { act, renderHook, waitFor } from '@testing-library/react';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { MemoryStorage } from '../../core-client/storage.ts';
import {
  createDurableAdapter,
  wasResumed,
  type DurableAdapterOptions,
} from '../../core-client/transports/index.ts';
import { withResolvers } from '../support/with-resolvers.ts';
import { useWorld } from './support/world.ts';
import type { Exchange } from './support/upstream.ts';

const world = useWorld();

const adapter = (more: Partial<DurableAdapterOptions> = {}) =>
  createDurableAdapter(world.upstream.url, { ...world.client, ...more });

/** Returns the events with which TanStack AI's backend would respond to this request. */
function run(exchange: Exchange, ...deltas: readonly string[]): object[] {
  const { threadId, runId } = exchange.body;
  const messageId = `message-of-${String(runId)}`;
  return [
    { type: 'RUN_STARTED', threadId, runId },
    { type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' },
    ...deltas.map((delta) => ({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta })),
    { type: 'TEXT_MESSAGE_END', messageId },
    { type: 'RUN_FINISHED', threadId, runId },
  ];
}

const runError = ({ body: { threadId, runId } }: Exchange): object => ({
  type: 'RUN_ERROR',
  threadId,
  runId,
  message: 'Overloaded.',
});

function openPage(connection = adapter(), threadId = 'thread-1') {
  const page = renderHook(() => useChat({ threadId, connection, persistence: localStoragePersistence() }), {
    reactStrictMode: true,
  });
  const texts = () =>
    page.result.current.messages.map(({ parts }) =>
      parts.map((part) => (part.type === 'text' ? part.content : '')).join(''),
    );
  const send = (text: string) => act(() => void page.result.current.sendMessage(text));
  return { ...page, connection, texts, send };
}

async function readAll(events: AsyncIterable<{ readonly type: string }>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of events) types.push(type);
  return types;
}

describe('createDurableAdapter', () => {
  it('streams a run, and sends the same request as the adapter of TanStack', async () => {
    const page = openPage(adapter({ headers: { Authorization: 'Bearer app' }, body: { model: 'm' } }));
    page.send('Hello');
    const exchange = await world.upstream.next();
    expect(exchange.body).toMatchObject({
      threadId: 'thread-1',
      runId: expect.any(String) as string,
      messages: [{ role: 'user', content: 'Hello' }],
      tools: [],
      context: [],
      forwardedProps: { model: 'm' },
    });
    expect(exchange.headers).toMatchObject({
      authorization: 'Bearer app',
      'x-run-id': exchange.body['runId'],
    });
    exchange
      .begin()
      .send(...run(exchange, 'Hi', '!'))
      .done();
    await waitFor(() => expect(page.texts()).toEqual(['Hello', 'Hi!']));
    await waitFor(() => expect(page.result.current.status).toBe('ready'));
  });

  it('survives lost connections at any position', async () => {
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), async (drops) => {
        const page = openPage(adapter(), `thread-${++number}`);
        page.send('Count');
        const exchange = (await world.upstream.next()).begin();
        for (const [index, event] of run(exchange, 'one ', 'two ', 'three ', 'four').entries()) {
          exchange.send(event);
          if (drops[index]) world.relay.cut();
        }
        exchange.done();
        await waitFor(() => expect(page.texts()).toEqual(['Count', 'one two three four']), {
          timeout: 5_000,
        });
        await waitFor(() => expect(page.result.current.status).toBe('ready'));
        page.unmount();
      }),
      { numRuns: 8 },
    );
  });

  it('resumes a run after a reload during it', async () => {
    const before = openPage();
    before.send('Hello');
    const exchange = (await world.upstream.next()).begin();
    const events = run(exchange, 'Hi', ' there');
    exchange.send(...events.slice(0, 3));
    await waitFor(() => expect(before.texts()).toEqual(['Hello', 'Hi']));
    before.unmount();
    const after = openPage();
    await waitFor(() => expect(after.texts()).toEqual(['Hello', 'Hi']));
    await waitFor(() => expect(after.connection.resumption.getSnapshot().wasResumed).toBe(true));
    exchange.send(...events.slice(3)).done();
    await waitFor(() => expect(after.texts()).toEqual(['Hello', 'Hi there']));
    await waitFor(() => expect(after.result.current.status).toBe('ready'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('does not stop the run if the page stops reading, and stops it on request', async () => {
    const page = openPage();
    page.send('Hello');
    const exchange = (await world.upstream.next()).begin();
    exchange.send(...run(exchange, 'Hi').slice(0, 3));
    await waitFor(() => expect(page.texts()).toEqual(['Hello', 'Hi']));
    act(() => page.result.current.stop());
    exchange.send({ type: 'CUSTOM', name: 'still here', value: 1 });
    await page.connection.abort();
    await exchange.closed;
    expect(page.connection.resumption.getSnapshot()).toMatchObject({ status: 'aborted', outcome: 'aborted' });
    page.unmount();
    const again = openPage();
    await waitFor(() => expect(again.result.current.status).toBe('ready'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('sends no request if the run is stopped while its token is awaited', async () => {
    const token = withResolvers<string>();
    const proxyAuthorization = vi.fn(() => token.promise);
    const page = openPage(adapter({ proxyAuthorization, scope: undefined }));
    page.send('One');
    await waitFor(() => expect(proxyAuthorization).toHaveBeenCalled());
    await act(async () => {
      const aborted = page.connection.abort();
      token.resolve(world.client.proxyAuthorization);
      await aborted;
    });
    await waitFor(() => expect(page.result.current.isLoading).toBe(false));
    expect(page.result.current.error).toBeUndefined();
    page.send('Two');
    const exchange = await world.upstream.next();
    expect(JSON.stringify(exchange.body)).toContain('Two');
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('cancels the upstream request by a stop before the first byte, and can send the next message', async () => {
    const page = openPage();
    page.send('Hello');
    const exchange = await world.upstream.next();
    act(() => page.result.current.stop());
    await act(() => page.connection.abort());
    await exchange.closed;
    await waitFor(() => expect(page.result.current.status).toBe('ready'));
    expect(page.result.current.error).toBeUndefined();
    page.send('Again');
    const next = await world.upstream.next();
    next
      .begin()
      .send(...run(next, 'Hi'))
      .done();
    await waitFor(() => expect(page.texts()).toEqual(['Hello', 'Again', 'Hi']));
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('shows a model error, and calls the model again on reload()', async () => {
    const page = openPage();
    page.send('Hello');
    const exchange = await world.upstream.next();
    exchange
      .begin()
      .send(...run(exchange, 'half').slice(0, 3), runError(exchange))
      .done();
    await waitFor(() => expect(page.result.current.error?.message).toBe('Overloaded.'));
    act(() => void page.result.current.reload());
    const next = await world.upstream.next();
    next
      .begin()
      .send(...run(next, 'whole'))
      .done();
    await waitFor(() => expect(page.texts()).toEqual(['Hello', 'whole']));
    await waitFor(() => expect(page.result.current.status).toBe('ready'));
    expect(page.result.current.error).toBeUndefined();
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('fails if a run is truncated', async () => {
    const page = openPage();
    page.send('Hello');
    const exchange = (await world.upstream.next()).begin();
    exchange.send(...run(exchange, 'Hi').slice(0, 3)).end();
    await waitFor(() =>
      expect(page.result.current.error?.message).toMatch(/^The upstream ended its response before/),
    );
  });
});

describe('joinRun', () => {
  it('replays a run from its beginning, and rejects an unknown run', async () => {
    const first = adapter();
    const context = { threadId: 't', runId: `run-${crypto.randomUUID()}` };
    const controller = new AbortController();
    const reading = readAll(first.connect([], undefined, controller.signal, context));
    const exchange = (await world.upstream.next()).begin();
    exchange.send(...run(exchange, 'a').slice(0, 2));
    await waitFor(() => expect(first.resumption.getSnapshot().receivedBytes).toBeGreaterThan(0));
    controller.abort();
    await reading;
    const joined = adapter().joinRun(context.runId) as AsyncIterable<{ type: string }>;
    exchange.send(...run(exchange, 'a').slice(2)).done();
    expect(await readAll(joined)).toEqual(
      run(exchange, 'a').map((event) => Reflect.get(event, 'type') as string),
    );
    expect(wasResumed(joined)).toBe(true);
    await expect(readAll(adapter().joinRun('never-heard-of'))).rejects.toMatchObject({ status: 404 });
  });

  it('finds a finished run by its id, even with a custom request id', async () => {
    const getRequestId = () => 'the-conversation';
    const context = { threadId: 't', runId: `run-${crypto.randomUUID()}` };
    const first = adapter({ getRequestId });
    const controller = new AbortController();
    const reading = readAll(first.connect([], undefined, controller.signal, context));
    const exchange = (await world.upstream.next()).begin();
    const events = run(exchange, 'a');
    exchange.send(...events.slice(0, 1));
    await waitFor(() => expect(first.resumption.getSnapshot().receivedBytes).toBeGreaterThan(0));
    controller.abort();
    await reading;
    const elsewhere = adapter({ storage: new MemoryStorage() });
    const witness = readAll(elsewhere.joinRun(context.runId));
    await waitFor(() => expect(elsewhere.resumption.getSnapshot().receivedBytes).toBeGreaterThan(0));
    exchange.send(...events.slice(1)).done();
    await witness;
    expect(await readAll(adapter({ getRequestId }).joinRun(context.runId))).toHaveLength(events.length);
    await waitFor(() => expect(JSON.stringify({ ...localStorage })).not.toContain(context.runId));
  });

  it('does not resume a run that ended with a model error, even if its reader left at the error', async () => {
    const context = { threadId: 't', runId: `run-${crypto.randomUUID()}` };
    const first = adapter();
    const reading = (async () => {
      for await (const event of first.connect([], undefined, undefined, context)) {
        if ((event as { type: string }).type === 'RUN_ERROR') break;
      }
    })();
    const exchange = (await world.upstream.next()).begin();
    exchange.send(...run(exchange, 'a').slice(0, 2), runError(exchange));
    await reading;
    await expect(readAll(first.joinRun(context.runId))).rejects.toMatchObject({ status: 404 });
    exchange.done();
    await exchange.closed;
    // The adapter reads the rest, so another page finds nothing either.
    await waitFor(() => expect(JSON.stringify({ ...localStorage })).not.toContain('streamUrl'));
    await expect(readAll(adapter().joinRun(context.runId))).rejects.toMatchObject({ status: 404 });
  });

  it('stops the answer on an abort with `abortUpstream`, even before it has started', async () => {
    const controller = new AbortController();
    const reading = readAll(adapter({ abortUpstream: true }).connect([], undefined, controller.signal));
    const exchange = await world.upstream.next();
    controller.abort();
    expect(await reading).toEqual([]);
    exchange.begin().send({ type: 'RUN_STARTED' });
    await exchange.closed;
  });

  it('ends without an error if the run was stopped elsewhere', async () => {
    const context = { threadId: 't', runId: `run-${crypto.randomUUID()}` };
    const first = adapter();
    const reading = readAll(first.connect([], undefined, undefined, context));
    const exchange = (await world.upstream.next()).begin();
    exchange.send(...run(exchange, 'a').slice(0, 1));
    await waitFor(() => expect(first.resumption.getSnapshot().receivedBytes).toBeGreaterThan(0));
    const second = adapter();
    const joined = readAll(second.joinRun(context.runId));
    await waitFor(() => expect(second.resumption.getSnapshot().receivedBytes).toBeGreaterThan(0));
    await second.abort();
    expect(await reading).toEqual(['RUN_STARTED']);
    expect(await joined).toEqual(['RUN_STARTED']);
  });
});
