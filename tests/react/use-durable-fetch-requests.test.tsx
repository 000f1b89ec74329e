// @vitest-environment jsdom
import { QueryClient } from '@tanstack/react-query';
import { act, cleanup, renderHook, waitFor } from '@testing-library/react';
import { Profiler, type ReactNode } from 'react';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { StorageLike } from '../../core-client/types.ts';
import { openFetchPage, useAnswer, withClient, type FetchOptions } from './support/fetch-page.tsx';
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

/** Returns an unused name, because the proxy remembers the answers of other tests. */
const essay = () => `essay-${crypto.randomUUID()}`;

describe('one requestId', () => {
  it('is a new request if its body or its URL changes', async () => {
    const requestId = essay();
    const page = openFetchPage(world, { requestId, body: { topic: 'rain' } });
    const rain = (await world.upstream.next()).begin('text/plain').raw('About rain');
    await waitFor(() => expect(page.result.current.text).toBe('About rain'));
    page.rerender({ requestId, body: { topic: 'snow' } });
    expect(page.result.current).toMatchObject({ status: 'loading', text: '', data: undefined });
    const snow = await world.upstream.next();
    expect(snow.body).toEqual({ topic: 'snow' });
    rain.end(', whole');
    snow.begin('text/plain').end('About snow');
    await waitFor(() => expect(page.result.current).toMatchObject({ status: 'success', data: 'About snow' }));
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('resumes the stored answer of the same request after a reload, and sends a different request', async () => {
    const options = { requestId: essay(), body: { topic: 'rain' } };
    const before = openFetchPage(world, options);
    (await world.upstream.next()).begin('text/plain').raw('About rain');
    await waitFor(() => expect(before.result.current.text).toBe('About rain'));
    before.unmount();
    const after = openFetchPage(world, options);
    await waitFor(() => expect(after.result.current.text).toBe('About rain'));
    expect(after.result.current.resumption.wasResumed).toBe(true);
    after.unmount();
    const other = openFetchPage(world, { ...options, body: { topic: 'snow' } });
    (await world.upstream.next()).begin('text/plain').end('About snow');
    await waitFor(() => expect(other.result.current.data).toBe('About snow'));
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('causes a warning if two requests use it at the same time, and both get their answers', async () => {
    const onWarning = vi.fn();
    const requestId = essay();
    const first = openFetchPage(world, { requestId, body: { topic: 'rain' } });
    const rain = await world.upstream.next();
    const options = { requestId, body: { topic: 'snow' }, onWarning };
    const second = openFetchPage(world, options, first.client);
    const snow = await world.upstream.next();
    const [warning] = onWarning.mock.calls.flat() as Error[];
    expect(warning?.message).toContain('Give each request its own requestId');
    rain.begin('text/plain').end('rain');
    snow.begin('text/plain').end('snow');
    await waitFor(() => expect(first.result.current.data).toBe('rain'));
    await waitFor(() => expect(second.result.current.data).toBe('snow'));
  });

  it('causes no warning if a component replaces one request by another', async () => {
    const onWarning = vi.fn();
    const requestId = essay();
    const page = openFetchPage(world, { requestId, body: { topic: 'rain' }, onWarning });
    await world.upstream.next();
    page.rerender({ requestId, body: { topic: 'snow' }, onWarning });
    await world.upstream.next();
    expect(onWarning).not.toHaveBeenCalled();
  });
});

it('does not show the answer of the previous user after a change of the scope', async () => {
  const page = openFetchPage(world, { scope: 'first-user' });
  (await world.upstream.next()).begin('text/plain').end('private');
  await waitFor(() => expect(page.result.current.data).toBe('private'));
  page.rerender({ scope: 'second-user' });
  expect(page.result.current).toMatchObject({ status: 'loading', data: undefined, text: '' });
  await world.upstream.next();
});

describe('throttleMs', () => {
  it('limits the renders of an answer of 1,000 chunks', async () => {
    const throttleMs = 250;
    let commits = 0;
    const Client = withClient(new QueryClient());
    const wrapper = ({ children }: { readonly children: ReactNode }) => (
      <Client>
        <Profiler id="answer" onRender={() => void commits++}>
          {children}
        </Profiler>
      </Client>
    );
    const onResumption = vi.fn();
    const { result } = renderHook(() => useAnswer(world, { throttleMs, onResumption }), { wrapper });
    const exchange = (await world.upstream.next()).begin('text/plain');
    await waitFor(() => expect(result.current.resumption.status).toBe('streaming'));
    const startedAt = performance.now();
    const before = commits;
    for (let chunk = 0; chunk < 1_000; chunk++) {
      exchange.raw('x');
      await new Promise((resolve) => setImmediate(resolve));
    }
    exchange.end();
    await waitFor(() => expect(result.current.data).toHaveLength(1_000));
    const elapsedMs = performance.now() - startedAt;
    // Beginning and end cause a few more renders: the last text, and the states of the query.
    expect(commits - before).toBeLessThanOrEqual(Math.ceil(elapsedMs / throttleMs) + 6);
    // A busy machine reads many chunks at once, so the client may report few changes.
    expect(onResumption).toHaveBeenCalled();
  });
});

describe('retry', () => {
  const loseNetwork = async (options: FetchOptions) => {
    const page = openFetchPage(world, { maxReconnectAttempts: 1, ...options });
    const exchange = (await world.upstream.next()).begin('text/plain').raw('on');
    await waitFor(() => expect(page.result.current.text).toBe('on'));
    world.relay.down();
    await waitFor(() => expect(page.result.current.status).toBe('error'));
    world.relay.up();
    return { ...page, exchange };
  };

  const broken: StorageLike = {
    getItem: () => null,
    setItem() {
      throw new DOMException('Full', 'QuotaExceededError');
    },
    removeItem: () => undefined,
  };

  it.each([
    ['localStorage', {}],
    ['a storage that keeps nothing', { storage: broken }],
  ])('resumes a lost connection without a second upstream request, with %s', async (_, options) => {
    const { result, exchange } = await loseNetwork(options);
    act(() => void result.current.retry());
    exchange.end(' and on');
    await waitFor(() => expect(result.current).toMatchObject({ status: 'success', data: 'on and on' }));
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('sends the request again on the first call if the answer failed', async () => {
    const { result } = openFetchPage(world);
    const exchange = (await world.upstream.next()).begin('text/plain').raw('half');
    await waitFor(() => expect(result.current.text).toBe('half'));
    exchange.destroy();
    await waitFor(() => expect(result.current.status).toBe('error'));
    act(() => {
      void result.current.retry();
      void result.current.retry();
    });
    (await world.upstream.next()).begin('text/plain').end('whole');
    await waitFor(() => expect(result.current.data).toBe('whole'));
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('does nothing after a complete answer, after a stop, and while the answer streams', async () => {
    const page = openFetchPage(world);
    const { result } = page;
    const first = (await world.upstream.next()).begin('text/plain').raw('wh');
    await waitFor(() => expect(result.current.text).toBe('wh'));
    await act(() => result.current.retry());
    first.end('ole');
    await waitFor(() => expect(result.current.data).toBe('whole'));
    await act(() => result.current.retry());
    act(() => void result.current.refetch());
    (await world.upstream.next()).begin('text/plain').raw('half');
    await waitFor(() => expect(result.current.text).toBe('half'));
    await act(() => result.current.abort());
    await waitFor(() => expect(result.current.status).toBe('aborted'));
    await act(() => result.current.retry());
    expect(result.current.status).toBe('aborted');
    expect(world.upstream.exchanges).toHaveLength(2);
  });
});
