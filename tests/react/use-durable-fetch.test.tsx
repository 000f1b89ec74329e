// @vitest-environment jsdom
import type { QueryClient } from '@tanstack/react-query';
import { act, cleanup, waitFor } from '@testing-library/react';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openFetchPage, untilReleased, type FetchOptions } from './support/fetch-page.tsx';
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

const openPage = (first?: FetchOptions, client?: QueryClient) => openFetchPage(world, first, client);

describe('useDurableFetch', () => {
  it('shows the text while it arrives and the complete answer once, with one upstream call', async () => {
    const { result } = openPage();
    expect(result.current).toMatchObject({ status: 'loading', text: '', data: undefined });
    const exchange = await world.upstream.next();
    expect(exchange.body).toEqual({ prompt: 'Hi' });
    expect(exchange.headers['content-type']).toBe('application/json');
    exchange.begin('text/plain').raw('one ');
    await waitFor(() => expect(result.current).toMatchObject({ status: 'streaming', text: 'one ' }));
    world.relay.cut();
    exchange.end('two');
    await waitFor(() => expect(result.current.status).toBe('success'));
    expect(result.current).toMatchObject({
      data: 'one two',
      text: 'one two',
      error: null,
      resumption: { status: 'complete', outcome: 'complete' },
    });
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('opens one stream for all components with the same request, and none while it is not enabled', async () => {
    const first = openPage({ enabled: false });
    expect(first.result.current.status).toBe('idle');
    const second = openPage({}, first.client);
    const exchange = (await world.upstream.next()).begin('text/plain').raw('live');
    for (const { result } of [first, second]) await waitFor(() => expect(result.current.text).toBe('live'));
    exchange.end();
    for (const { result } of [first, second]) await waitFor(() => expect(result.current.data).toBe('live'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('resumes the answer after a reload, and sends a new request after it was read', async () => {
    const before = openPage();
    const exchange = (await world.upstream.next()).begin('text/plain').raw('a');
    await waitFor(() => expect(before.result.current.text).toBe('a'));
    before.unmount();
    const after = openPage();
    await waitFor(() => expect(after.result.current.text).toBe('a'));
    expect(after.result.current.resumption.wasResumed).toBe(true);
    exchange.end('b');
    await waitFor(() => expect(after.result.current.data).toBe('ab'));
    expect(world.upstream.exchanges).toHaveLength(1);
    openPage();
    await world.upstream.next();
  });

  it('continues at its position if it is shown again soon, and from the beginning if later', async () => {
    const { client, ...first } = openPage();
    const exchange = (await world.upstream.next()).begin('text/plain').raw('a');
    await waitFor(() => expect(first.result.current.text).toBe('a'));
    first.unmount();
    const second = openPage({}, client);
    expect(second.result.current).toMatchObject({ text: 'a', resumption: { wasResumed: false } });
    second.unmount();
    await untilReleased(client);
    const third = openPage({}, client);
    await waitFor(() => expect(third.result.current.text).toBe('a'));
    expect(third.result.current.resumption.wasResumed).toBe(true);
    exchange.end('b');
    await waitFor(() => expect(third.result.current.data).toBe('ab'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('keeps its stream if StrictMode or another page releases theirs', async () => {
    const { result } = openPage();
    const exchange = (await world.upstream.next()).begin('text/plain').raw('a');
    await waitFor(() => expect(result.current.text).toBe('a'));
    const other = openPage({ requestId: 'other' });
    await world.upstream.next();
    other.unmount();
    // The time after which unused sessions are released has passed for both.
    await untilReleased(other.client);
    exchange.end('b');
    await waitFor(() => expect(result.current.data).toBe('ab'));
    expect(result.current.resumption.wasResumed).toBe(false);
  });

  it('sends the request again on refetch, one at a time', async () => {
    const { result } = openPage();
    (await world.upstream.next()).begin('text/plain').end('1');
    await waitFor(() => expect(result.current.data).toBe('1'));
    act(() => void result.current.refetch());
    act(() => void result.current.refetch());
    (await world.upstream.next()).begin('text/plain').end('2');
    await waitFor(() => expect(result.current.data).toBe('2'));
    expect(result.current.text).toBe('2');
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('can stop the answer on the server, and keeps the text so far', async () => {
    const { result } = openPage();
    const exchange = (await world.upstream.next()).begin('text/plain').raw('half');
    await waitFor(() => expect(result.current.text).toBe('half'));
    await act(() => result.current.abort());
    await exchange.closed;
    await waitFor(() => expect(result.current.status).toBe('aborted'));
    expect(result.current).toMatchObject({ text: 'half', data: undefined, error: null });
  });

  it('fails with the error of the upstream, and if the answer was cut off', async () => {
    const { result } = openPage();
    (await world.upstream.next()).begin('text/plain', 503).end('Busy.');
    await waitFor(() => expect(result.current.status).toBe('error'));
    expect(result.current.error).toMatchObject({ message: 'Busy.', status: 503 });
    act(() => void result.current.refetch());
    const exchange = (await world.upstream.next()).begin('text/plain').raw('par');
    await waitFor(() => expect(result.current.text).toBe('par'));
    exchange.destroy();
    await waitFor(() => expect(result.current.error).toMatchObject({ outcome: 'upstream-error' }));
    expect(result.current).toMatchObject({ status: 'error', text: 'par', data: undefined });
  });

  it('resumes the answer automatically when the network is back', async () => {
    const { result } = openPage({ maxReconnectAttempts: 1 });
    const exchange = (await world.upstream.next()).begin('text/plain').raw('on');
    await waitFor(() => expect(result.current.text).toBe('on'));
    world.relay.down();
    await waitFor(() => expect(result.current.status).toBe('error'));
    world.relay.up();
    act(() => void window.dispatchEvent(new Event('online')));
    exchange.end(' and on');
    await waitFor(() => expect(result.current.data).toBe('on and on'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });
});

describe('a parsed answer', () => {
  it.each([
    ['json', 'application/json', '{"a":', '[1]}', [], { a: [1] }],
    ['ndjson', 'application/x-ndjson', '{"n":1}\n{"n"', ':2}\n\n3', [{ n: 1 }], [{ n: 1 }, { n: 2 }, 3]],
    [
      'sse',
      'text/event-stream',
      'event: a\ndata: 1\n\ndata',
      ': 2\n\ndata: cut',
      [{ event: 'a', data: '1' }],
      [{ event: 'a', data: '1' }, { data: '2' }],
    ],
  ] as const)('is %s', async (parse, type, start, rest, early, whole) => {
    const { result } = openPage({ parse });
    const exchange = (await world.upstream.next()).begin(type).raw(start);
    await waitFor(() => expect(result.current.text).toBe(start));
    expect(JSON.parse(JSON.stringify(result.current.events))).toEqual(early);
    exchange.end(rest);
    await waitFor(() => expect(result.current.status).toBe('success'));
    expect(JSON.parse(JSON.stringify(result.current.data))).toEqual(whole);
  });

  it.each(['json', 'ndjson'] as const)('fails with its text if it is not %s', async (parse) => {
    const { result } = openPage({ parse });
    (await world.upstream.next()).begin('text/plain').end('no JSON');
    await waitFor(() => expect(result.current.error).toMatchObject({ code: 'ANSWER_MALFORMED' }));
    expect(result.current.text).toBe('no JSON');
  });
});
