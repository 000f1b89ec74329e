// @vitest-environment jsdom
import { QueryClient } from '@tanstack/react-query';
import { act, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { heldStorage } from './support/delayed-storage.ts';
import { openFetchPage } from './support/fetch-page.tsx';
import './support/patience.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

/** Returns the entries of the storage, except the id of the browser, which does not belong to the user. */
const stored = (): string[] => Object.keys(localStorage).filter((key) => !key.endsWith(':browser'));

describe('forget() of useDurableFetch', () => {
  it('clears an answer in progress and the stored data, stops nothing, and sends no request', async () => {
    const page = openFetchPage(world, { scope: 'ada', requestId: `essay-${crypto.randomUUID()}` });
    const answer = (await world.upstream.next()).begin('text/plain').raw('Dear Ada');
    await waitFor(() => expect(page.result.current.text).toBe('Dear Ada'));
    expect(stored()).not.toEqual([]);
    let isStopped = false;
    void answer.closed.then(() => (isStopped = true));

    await act(() => page.result.current.forget());
    await waitFor(() => expect(page.result.current).toMatchObject({ status: 'idle', text: '', error: null }));
    expect(stored()).toEqual([]);
    expect(isStopped).toBe(false);
    answer.end('!');

    // The same user with the same requestId has the same key, so the upstream is not called twice.
    await act(async () => void page.result.current.refetch());
    await waitFor(() => expect(page.result.current.data).toBe('Dear Ada!'));
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('sends no request if the storage is still being read', async () => {
    const { storage, waiting, release } = heldStorage('getItem', (key) => key.endsWith(':browser'));
    const page = openFetchPage(world, { storage });
    await act(() => waiting);
    await act(() => page.result.current.forget());
    release();
    // A request that begins later arrives alone.
    openFetchPage(world, { body: { prompt: 'Another one' } });
    expect((await world.upstream.next()).body).toEqual({ prompt: 'Another one' });
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('clears complete answers of the same user in the query cache, and none of another user', async () => {
    const client = new QueryClient();
    const [ada, bob] = ['ada', 'bob'].map((scope) =>
      openFetchPage(world, { scope, body: { of: scope } }, client),
    ) as [ReturnType<typeof openFetchPage>, ReturnType<typeof openFetchPage>];
    for (const _page of [ada, bob]) {
      const request = await world.upstream.next();
      request.begin('text/plain').end(`For ${(request.body as { of: string }).of}`);
    }
    await waitFor(() =>
      expect([ada, bob].map(({ result }) => result.current.data)).toEqual(['For ada', 'For bob']),
    );

    await act(() => ada.result.current.forget());
    await waitFor(() =>
      expect(ada.result.current).toMatchObject({ status: 'idle', data: undefined, text: '' }),
    );
    expect(bob.result.current.data).toBe('For bob');
    expect(
      JSON.stringify(
        client
          .getQueryCache()
          .getAll()
          .map(({ state }) => state),
      ),
    ).not.toContain('For ada');
    expect(world.upstream.exchanges).toHaveLength(2);
  });
});
