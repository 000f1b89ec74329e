// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { useWorld } from '../react/support/world.ts';
import { createUserFetch, logOut } from './client/logout.ts';

const world = useWorld();
afterEach(() => {
  vi.unstubAllGlobals();
});

it('[client/logout.ts] keeps the answers of users apart, and removes them when a user logs out', async () => {
  let user = 'ada';
  const paths: string[] = [];
  const { fetch } = globalThis;
  // The browser's part: the page's own origin, and a cookie.
  vi.stubGlobal('fetch', async (input: string, init?: RequestInit) => {
    const { pathname, search } = new URL(input, location.href);
    paths.push(pathname);
    if (pathname === '/logout') return new Response();
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${world.token(user)}`);
    return fetch(new URL(world.client.proxyUrl).origin + pathname + search, { ...init, headers });
  });
  const call = { body: '{"q":1}', requestId: 'essay' };
  const ada = createUserFetch({ id: 'ada' });
  const response = await Promise.all([
    ada(world.upstream.url, call),
    world.upstream.next().then((exchange) => exchange.begin('text/plain').raw('for Ada')),
  ]).then(([response]) => response);
  await response.body!.getReader().read();

  user = 'bob';
  const bob = createUserFetch({ id: 'bob' });
  expect(await bob.resume('essay')).toBeNull();
  expect(await bob.abort('essay')).toBe(false);

  user = 'ada';
  expect((await createUserFetch({ id: 'ada' }).resume('essay'))?.wasResumed).toBe(true);
  await logOut(ada);
  expect({ ...localStorage }).toEqual({});
  expect(paths.at(-1)).toBe('/logout');
  expect(world.upstream.exchanges).toHaveLength(1);
});
