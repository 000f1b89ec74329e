// @vitest-environment jsdom
import { useChat } from '@ai-sdk/react';
import { act, renderHook, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { createDurableChatTransport } from '../../core-client/transports/index.ts';
import { useResumption } from '../../react/useResumption.ts';
import { textAnswer } from './support/answers.ts';
import { textOf, uniqueId } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const world = useWorld();

/** The hook of the SDK with the transport, as in the SDK's documentation. */
function openPage(id: string, messages: unknown[] = []) {
  const transport = createDurableChatTransport({ api: world.upstream.url, ...world.client });
  return renderHook(
    () => ({
      ...useChat({ id, transport, resume: true, messages: messages as never[] }),
      transport,
      view: useResumption(transport.resumption),
    }),
    { reactStrictMode: true },
  );
}

describe('useChat of the SDK with the transport', () => {
  it('shows one message after a lost connection and a reload during an answer', async () => {
    const id = uniqueId();
    const before = openPage(id);
    act(() => void before.result.current.sendMessage({ text: 'Hello' }));
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('Hi', ' there').slice(0, 4));
    await waitFor(() => expect(before.result.current.messages.map(textOf)).toEqual(['Hello', 'Hi']));
    world.relay.cut();
    const messages = before.result.current.messages;
    before.unmount();
    const after = openPage(id, messages);
    await waitFor(() =>
      expect(after.result.current.view).toMatchObject({ status: 'streaming', wasResumed: true }),
    );
    expect(after.result.current.view.message).toBe('Back where the answer left off\u2026');
    exchange.send(...textAnswer('Hi', ' there').slice(4)).done();
    await waitFor(() => expect(after.result.current.messages.map(textOf)).toEqual(['Hello', 'Hi there']));
    await waitFor(() => expect(after.result.current.status).toBe('ready'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('stops the answer by abort() of the transport, and reading by stop()', async () => {
    const id = uniqueId();
    const page = openPage(id);
    act(() => void page.result.current.sendMessage({ text: 'Hello' }));
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('Hi', ' there').slice(0, 4));
    await waitFor(() => expect(page.result.current.messages.map(textOf)).toEqual(['Hello', 'Hi']));
    await act(async () => {
      await page.result.current.transport.abort(id);
      await page.result.current.stop();
    });
    await exchange.closed;
    expect(page.result.current.status).toBe('ready');
  });
});
