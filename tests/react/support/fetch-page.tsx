import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { renderHook, waitFor } from '@testing-library/react';
import type { ReactNode } from 'react';
import { expect } from 'vitest';
import { useDurableFetch, type UseDurableFetchOptions } from '../../../react/useDurableFetch.ts';
import type { World } from './world.ts';

export type FetchOptions = Partial<UseDurableFetchOptions>;

/** Calls the hook with one request to the upstream of the world. `options` override it. */
export function useAnswer(world: World, options: FetchOptions = {}) {
  return useDurableFetch(world.upstream.url, {
    ...world.client,
    body: { prompt: 'Hi' },
    throttleMs: 0,
    ...options,
  });
}

export function withClient(client: QueryClient) {
  return function Wrapper({ children }: { readonly children: ReactNode }) {
    return <QueryClientProvider client={client}>{children}</QueryClientProvider>;
  };
}

/** Opens a separate page, with its own query client unless one is given. */
export function openFetchPage(world: World, first: FetchOptions = {}, client = new QueryClient()) {
  const rendered = renderHook((options: FetchOptions) => useAnswer(world, options), {
    initialProps: first,
    wrapper: withClient(client),
    reactStrictMode: true,
  });
  return { client, ...rendered };
}

/** Resolves when the answers of a client are no longer read, because no component shows them. */
export async function untilReleased(client: QueryClient): Promise<void> {
  await waitFor(() => {
    for (const { state } of client.getQueryCache().getAll()) expect(state.fetchStatus).toBe('idle');
  });
}
