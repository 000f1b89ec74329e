// @vitest-environment jsdom
import { act } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { createDurableChatTransport } from '../../core-client/transports/index.ts';
import { textAnswer } from './support/answers.ts';
import { openPage, send, uniqueId, untilStatus, untilText } from './support/chat.tsx';
import { heldStorage } from './support/delayed-storage.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

it('does not keep a page that closes at once from sending its message', async () => {
  const { storage, waiting, release } = heldStorage('setItem');
  const options = { id: uniqueId(), api: world.upstream.url, ...world.client, storage };
  const page = openPage(options);
  send(page);
  await waiting;
  page.unmount();
  // The page releases its chat in the next task.
  await new Promise((resolve) => setTimeout(resolve));
  release();
  (await world.upstream.next()).begin().send(...textAnswer('Hel').slice(0, 4));
  await untilText(openPage(options), 'Hel');
});

describe('a stop before the upstream has responded', () => {
  it('cancels the upstream request within a second', async () => {
    const page = openPage({ id: uniqueId(), api: world.upstream.url, ...world.client });
    send(page);
    const exchange = await world.upstream.next();
    const since = performance.now();
    let stopped: Promise<void> | undefined;
    act(() => void (stopped = page.result.current.stop()));
    await exchange.closed;
    expect(performance.now() - since).toBeLessThan(1000);
    await act(async () => stopped);
    await untilStatus(page, 'ready');
    expect(page.result.current.error).toBeUndefined();
    expect(JSON.stringify({ ...localStorage })).not.toContain('stopped');
  });

  it('sends no request if it comes while the turn is being stored', async () => {
    const { storage, waiting, release } = heldStorage('setItem');
    const page = openPage({ id: uniqueId(), api: world.upstream.url, ...world.client, storage });
    let sent: Promise<void> | undefined;
    act(() => void (sent = page.result.current.sendMessage({ text: 'Hello' })));
    await act(() => waiting);
    await act(async () => {
      const stopped = page.result.current.stop();
      release();
      await Promise.all([sent, stopped]);
    });
    expect(page.result.current).toMatchObject({ status: 'ready', error: undefined });
    expect([...storage.keys()]).toEqual([]);
    send(page, 'Hello again');
    const { body } = await world.upstream.next();
    expect(JSON.stringify(body)).toContain('Hello again');
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('cancels the upstream request of a message that was sent while the page looked for an answer', async () => {
    // Only the attempt to resume waits, not what the client stores of the request.
    const { storage, waiting, release } = heldStorage('getItem', (key) => key.includes(':turn:'));
    const page = openPage({ id: uniqueId(), api: world.upstream.url, ...world.client, storage });
    await act(() => waiting);
    const looking = page.result.current.resumeStream();
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('Hel').slice(0, 4));
    await untilStatus(page, 'streaming');
    release();
    await looking;
    act(() => void page.result.current.stop());
    await exchange.closed;
    await untilStatus(page, 'ready');
  });

  it('cancels the upstream request even if the page is closed immediately', async () => {
    const id = uniqueId();
    const patches: RequestInit[] = [];
    let isClosed = false;
    const page = openPage({
      id,
      api: world.upstream.url,
      ...world.client,
      fetch: (input: RequestInfo | URL, init?: RequestInit) => {
        // A closed page sends nothing more. `keepalive` requests in progress continue.
        if (isClosed) return new Promise(() => undefined);
        if (init?.method === 'PATCH') {
          patches.push(init);
          isClosed = true;
        }
        return fetch(input, init);
      },
    });
    send(page);
    const exchange = await world.upstream.next();
    act(() => void page.result.current.stop());
    await exchange.closed;
    expect(patches).toMatchObject([{ keepalive: true }]);
  });

  it('is repeated by the next page if the proxy was unreachable', async () => {
    const id = uniqueId();
    let isClosed = false;
    const page = openPage({
      id,
      api: world.upstream.url,
      ...world.client,
      fetch: (input: RequestInfo | URL, init?: RequestInit) => {
        if (init?.method === 'PATCH') isClosed = true;
        return isClosed ? new Promise(() => undefined) : fetch(input, init);
      },
    });
    send(page);
    const exchange = await world.upstream.next();
    act(() => void page.result.current.stop());
    page.unmount();
    const again = openPage({ id, api: world.upstream.url, ...world.client });
    await exchange.closed;
    await act(() => again.result.current.resumeStream());
    expect(again.result.current).toMatchObject({ status: 'ready', error: undefined });
  });

  it('cancels the upstream request if the signal is aborted with abortUpstream', async () => {
    const controller = new AbortController();
    const transport = createDurableChatTransport({
      api: world.upstream.url,
      ...world.client,
      abortUpstream: true,
    });
    const message = { id: 'u', role: 'user', parts: [{ type: 'text' }] };
    const sent = transport.sendMessages({
      trigger: 'submit-message',
      chatId: uniqueId(),
      messageId: undefined,
      messages: [message],
      abortSignal: controller.signal,
    });
    const exchange = await world.upstream.next();
    controller.abort();
    await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
    await exchange.closed;
  });
});
