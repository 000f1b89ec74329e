// @vitest-environment jsdom
import { act, cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import '../react/support/patience.ts';
import { openWorld, type World } from '../react/support/world.ts';

let world: World;

beforeAll(async () => {
  world = await openWorld();
});

/** The page's own server: it passes `/v1/proxy` on to a real proxy, and knows where `/api/essay` is. */
beforeEach(() => {
  const network = globalThis.fetch;
  const { proxyUrl, proxyAuthorization } = world.client;
  vi.stubGlobal('fetch', (input: RequestInfo | URL, init: RequestInit = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers);
    if (!url.searchParams.has('signature')) headers.set('authorization', `Bearer ${proxyAuthorization}`);
    if (headers.has('upstream-url')) {
      expect(headers.get('upstream-url')).toBe(new URL('/api/essay', document.baseURI).href);
      headers.set('upstream-url', world.upstream.url);
    }
    const { host, port } = new URL(proxyUrl);
    url.host = host;
    url.port = port;
    return network(url, { ...init, headers });
  });
  // Each test is a page of its own, with its own QueryClient.
  vi.resetModules();
});

afterEach(() => {
  vi.useRealTimers();
  cleanup();
  vi.unstubAllGlobals();
  localStorage.clear();
  world.upstream.reset();
});

afterAll(() => world.close());

async function openPage() {
  const { App } = await import('./react/fetch.tsx');
  const { container } = render(<App />);
  return {
    /** The answer as it is shown. */
    text: () => container.querySelector('p')?.textContent,
    press: async (name: string) => fireEvent.click(await screen.findByRole('button', { name })),
  };
}

describe('[react/fetch.tsx]', () => {
  it('shows the answer while it comes, with one upstream call', async () => {
    const { text } = await openPage();
    const exchange = await world.upstream.next();
    expect(exchange.body).toEqual({ topic: 'drops of water' });
    exchange.begin('text/plain').raw('Drops ');
    await waitFor(() => expect(text()).toBe('Drops '));
    expect(screen.getByRole('article').getAttribute('aria-busy')).toBe('true');
    exchange.end('fall.');
    await waitFor(() => expect(screen.getByRole('article').getAttribute('aria-busy')).toBe('false'));
    expect(text()).toBe('Drops fall.');
    expect(screen.queryByRole('button')).toBeNull();
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('resumes a lost connection by “Try again”, without a second upstream call', async () => {
    const { text, press } = await openPage();
    const exchange = (await world.upstream.next()).begin('text/plain').raw('Drops ');
    await waitFor(() => expect(text()).toBe('Drops '));
    // Minutes without a network, in which the client tries again by itself.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    world.relay.down();
    while (!screen.queryByRole('alert')) {
      await act(() => vi.advanceTimersByTimeAsync(5_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    vi.useRealTimers();
    expect(text()).toBe('Drops ');
    world.relay.up();
    await press('Try again');
    exchange.end('fall.');
    await waitFor(() => expect(text()).toBe('Drops fall.'));
    await waitFor(() => expect(screen.queryByRole('alert')).toBeNull());
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('sends the request again by “Try again” if the answer failed', async () => {
    const { text, press } = await openPage();
    (await world.upstream.next()).begin('text/plain', 503).end('Busy.');
    expect((await screen.findByRole('alert')).textContent).toContain('Busy.');
    await press('Try again');
    (await world.upstream.next()).begin('text/plain').end('Drops fall.');
    await waitFor(() => expect(text()).toBe('Drops fall.'));
    await waitFor(() => expect(screen.queryByRole('alert')).toBeNull());
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it.each(['before', 'after'])('ends the upstream request on Stop, %s its first byte', async (when) => {
    const { text, press } = await openPage();
    const exchange = await world.upstream.next();
    if (when === 'after') {
      exchange.begin('text/plain').raw('Half');
      await waitFor(() => expect(text()).toBe('Half'));
    }
    await press('Stop');
    await exchange.closed;
    await waitFor(() => expect(screen.queryByRole('button')).toBeNull());
    expect(screen.getByRole('status').textContent).toBe('Stopped.');
    expect(screen.queryByRole('alert')).toBeNull();
    expect(world.upstream.exchanges).toHaveLength(1);
  });
});
