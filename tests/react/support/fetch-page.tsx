import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { renderHook, waitFor } from '@testing-library/react';
import type { ReactNode } from 'react';
import { expect } from 'vitest';
import { useDurableFetch, type UseDurableFetchOptions } from '../../../react/useDurableFetch.ts';
import type { World } from './world.ts';

export type FetchOptions = Partial<UseDurableFetchOptions>;

/** The hook as the tests use it: one request to the world's upstream, unless `options` say otherwise. */
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

/** A page of its own, with its own query client unless one is given. */
export function openFetchPage(world: World, first: FetchOptions = {}, client = new QueryClient()) {
  const rendered = renderHook((options: FetchOptions) => useAnswer(world, options), {
    initialProps: first,
    wrapper: withClient(client),
    reactStrictMode: true,
  });
  return { client, ...rendered };
}

/** Resolves when a client's answers are no longer read, because nothing shows them. */
export async function untilReleased(client: QueryClient): Promise<void> {
  await waitFor(() => {
    for (const { state } of client.getQueryCache().getAll()) expect(state.fetchStatus).toBe('idle');
  });
}
