// @vitest-environment jsdom
import { QueryClient } from '@tanstack/react-query';
import { act, cleanup, render, waitFor } from '@testing-library/react';
import { Activity, StrictMode, useState } from 'react';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { UseDurableFetchResult } from '../../react/useDurableFetch.ts';
import { heldStorage } from './support/delayed-storage.ts';
import {
  openFetchPage,
  untilReleased,
  useAnswer,
  withClient,
  type FetchOptions,
} from './support/fetch-page.tsx';
import './support/patience.ts';
import { openWorld, type World } from './support/world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld();
});

afterEach(() => {
  cleanup();
  localStorage.clear();
  world.upstream.reset();
});

afterAll(() => world.close());

/** Unmounts or hides a page, and waits for the second after which a session is released. */
function leaveForLong(leave: () => void): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  leave();
  vi.advanceTimersByTime(5_000);
  vi.useRealTimers();
}

/** Sends another request to the upstream. When it arrives, all earlier requests have arrived too. */
async function afterAnotherRequest(): Promise<void> {
  const { unmount } = openFetchPage(world, { body: { prompt: 'Another one' } });
  let { body } = await world.upstream.next();
  while (body['prompt'] !== 'Another one') ({ body } = await world.upstream.next());
  unmount();
}

describe('a complete answer', () => {
  it('is shown again without a request after any time without a component', async () => {
    const { client, ...first } = openFetchPage(world);
    (await world.upstream.next()).begin('text/plain').end('whole');
    await waitFor(() => expect(first.result.current.data).toBe('whole'));
    leaveForLong(first.unmount);
    const second = openFetchPage(world, {}, client);
    expect(second.result.current).toMatchObject({ data: 'whole', text: 'whole', status: 'success' });
    await afterAnotherRequest();
    expect(world.upstream.exchanges).toHaveLength(2);
    expect(second.result.current).toMatchObject({ data: 'whole', text: 'whole', status: 'success' });
  });
});

/** A page whose answer is in an <Activity>. */
function openActivity(options: FetchOptions = {}) {
  const client = new QueryClient();
  const Provider = withClient(client);
  let current!: UseDurableFetchResult<string, never>;
  let setMode!: (mode: 'visible' | 'hidden') => void;
  function Answer() {
    current = useAnswer(world, options);
    return <p>{current.text}</p>;
  }
  // Always the same element, so that React does not render it again when it hides or shows it.
  const answer = <Answer />;
  function Page() {
    const [mode, set] = useState<'visible' | 'hidden'>('visible');
    setMode = set;
    return <Activity mode={mode}>{answer}</Activity>;
  }
  render(
    <StrictMode>
      <Provider>
        <Page />
      </Provider>
    </StrictMode>,
  );
  return {
    client,
    result: () => current,
    hide: () => act(() => setMode('hidden')),
    show: () => act(() => setMode('visible')),
  };
}

describe('an answer in a hidden <Activity>', () => {
  it('continues, and is complete if it is shown again soon', async () => {
    const page = openActivity();
    const exchange = (await world.upstream.next()).begin('text/plain').raw('a');
    await waitFor(() => expect(page.result().text).toBe('a'));
    page.hide();
    exchange.raw('b');
    page.show();
    exchange.end('c');
    await waitFor(() => expect(page.result()).toMatchObject({ status: 'success', data: 'abc', text: 'abc' }));
    expect(page.result().resumption.wasResumed).toBe(false);
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it.each(['still streams', 'is over'])('is complete when it is shown again, if it %s', async (state) => {
    const page = openActivity();
    const exchange = (await world.upstream.next()).begin('text/plain').raw('a');
    await waitFor(() => expect(page.result().text).toBe('a'));
    page.hide();
    await untilReleased(page.client);
    if (state === 'is over') exchange.end('b');
    else exchange.raw('b');
    page.show();
    await waitFor(() => expect(page.result().text).toBe('ab'));
    if (state === 'still streams') exchange.end('c');
    const whole = state === 'still streams' ? 'abc' : 'ab';
    await waitFor(() =>
      expect(page.result()).toMatchObject({ status: 'success', data: whole, text: whole, error: null }),
    );
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('stays complete, and is not requested again', async () => {
    const page = openActivity();
    (await world.upstream.next()).begin('text/plain').end('whole');
    await waitFor(() => expect(page.result().data).toBe('whole'));
    leaveForLong(page.hide);
    page.show();
    await afterAnotherRequest();
    expect(page.result()).toMatchObject({ status: 'success', data: 'whole', text: 'whole' });
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('is resumed when it is shown again after its connection was lost', async () => {
    const page = openActivity({ maxReconnectAttempts: 1 });
    const exchange = (await world.upstream.next()).begin('text/plain').raw('on');
    await waitFor(() => expect(page.result().text).toBe('on'));
    world.relay.down();
    await waitFor(() => expect(page.result().status).toBe('error'));
    page.hide();
    world.relay.up();
    page.show();
    exchange.end(' and on');
    await waitFor(() => expect(page.result().data).toBe('on and on'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });
});

describe('a refetch by invalidateQueries', () => {
  it('streams a new answer without the old error after a complete answer and after a stop', async () => {
    const { client, result } = openFetchPage(world);
    (await world.upstream.next()).begin('text/plain').end('first');
    await waitFor(() => expect(result.current.data).toBe('first'));
    act(() => void client.invalidateQueries());
    (await world.upstream.next()).begin('text/plain').raw('second');
    await waitFor(() => expect(result.current.text).toBe('second'));
    await act(() => result.current.abort());
    await waitFor(() => expect(result.current.status).toBe('aborted'));
    act(() => void client.invalidateQueries());
    const third = (await world.upstream.next()).begin('text/plain').raw('thi');
    await waitFor(() => expect(result.current.text).toBe('thi'));
    expect(result.current).toMatchObject({ status: 'streaming', error: null });
    third.end('rd');
    await waitFor(() =>
      expect(result.current).toMatchObject({ status: 'success', data: 'third', error: null }),
    );
  });
});

describe('a stop before the upstream has responded', () => {
  it('cancels the upstream request, and refetch sends it again', async () => {
    const { result } = openFetchPage(world);
    const exchange = await world.upstream.next();
    expect(result.current.status).toBe('loading');
    await act(() => result.current.abort());
    await exchange.closed;
    await waitFor(() => expect(result.current).toMatchObject({ status: 'aborted', error: null }));
    act(() => void result.current.refetch());
    (await world.upstream.next()).begin('text/plain').end('second');
    await waitFor(() => expect(result.current).toMatchObject({ status: 'success', data: 'second' }));
  });

  it('sends no request while the storage is read, and refetch sends it', async () => {
    const { storage, waiting, release } = heldStorage('getItem');
    const { result } = openFetchPage(world, { storage });
    await act(() => waiting);
    await act(async () => {
      const stopped = result.current.abort();
      release();
      await stopped;
    });
    await waitFor(() => expect(result.current).toMatchObject({ status: 'aborted', error: null }));
    act(() => void result.current.refetch());
    (await world.upstream.next()).begin('text/plain').end('answer');
    await waitFor(() => expect(result.current).toMatchObject({ status: 'success', data: 'answer' }));
    expect(world.upstream.exchanges).toHaveLength(1);
  });
});
