// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { act, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { indexedDbStorage } from '../../core-client/transports/indexed-db.ts';
import { withResolvers } from '../support/with-resolvers.ts';
import { textAnswer } from './support/answers.ts';
import { openPage, send, textOf, uniqueId, untilStatus, untilText, type Page } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const ANSWER = textAnswer('for A ', 'alone');
const world = useWorld();
const database = indexedDbStorage('durable-proxy')!;

afterEach(async () => {
  for (const key of await database.keys()) await database.removeItem(key);
});

const open = (more: object): Page =>
  openPage({ api: world.upstream.url, proxyUrl: world.client.proxyUrl, ...more });

/** Returns all data stored in the browser, as text. */
async function stored(): Promise<string> {
  const items = await Promise.all(
    (await database.keys()).map(async (key) => [key, await database.getItem(key)]),
  );
  return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, items]);
}

/** Sends a message as user A, and waits for the first words of the answer. */
async function ask(page: Page) {
  send(page, 'Secret of A');
  const exchange = (await world.upstream.next()).begin().send(...ANSWER.slice(0, 4));
  await untilText(page, 'for A ');
  await waitFor(async () => expect(await stored()).toContain('Secret of A'));
  return exchange;
}

/** The ways in which an app identifies the user. Each call is for a new page, with a new token. */
const LOGINS: readonly [name: string, login: (user: string) => object][] = [
  ['a token', (user) => ({ proxyAuthorization: world.token(user) })],
  ['a function for a token', (user) => ({ proxyAuthorization: async () => world.token(user) })],
  [
    'scope, with a token that is not a JWT',
    // All users share one secret of the proxy, so the chat has an id that only this tab knows.
    (user) => ({ id: undefined, proxyAuthorization: world.client.proxyAuthorization, scope: user }),
  ],
  [
    'an Authorization of the chat route',
    (user) => ({
      id: undefined,
      proxyAuthorization: world.client.proxyAuthorization,
      headers: async () => ({ authorization: `Bearer ${world.token(user)}` }),
    }),
  ],
];

describe.each(LOGINS)('the next user of a browser, identified by %s', (_, login) => {
  it('cannot see or stop an answer in progress, which the first user can resume', async () => {
    const id = uniqueId();
    const first = open({ id, ...login('user-a') });
    const exchange = await ask(first);
    first.unmount();

    const second = open({ id, ...login('user-b') });
    await act(() => second.result.current.resumeStream());
    expect(second.result.current.messages).toEqual([]);
    await act(() => second.result.current.stop());
    send(second, 'Hello of B');
    const other = (await world.upstream.next()).begin().send(...textAnswer('for B').slice(0, 4));
    await untilText(second, 'for B');
    other.send(...textAnswer('for B').slice(4)).done();
    await untilStatus(second, 'ready');
    expect(second.result.current.messages.map(textOf)).toEqual(['Hello of B', 'for B']);
    second.unmount();

    const again = open({ id, ...login('user-a') });
    await untilText(again, 'for A ');
    exchange.send(...ANSWER.slice(4)).done();
    await untilStatus(again, 'ready');
    expect(again.result.current.messages.map(textOf)).toEqual(['Secret of A', 'for A alone']);
    expect(world.upstream.exchanges).toHaveLength(2);
  });
});

describe('forget', () => {
  it('removes all data of the user from the browser, and the answer continues', async () => {
    const id = uniqueId();
    const login = () => ({ id, proxyAuthorization: world.token('user-a') });
    const page = open(login());
    const exchange = await ask(page);
    await act(() => page.result.current.forget());
    expect(page.result.current).toMatchObject({ messages: [], resumption: { status: 'idle' } });
    expect(await stored()).toBe('[{},{},[]]');

    // The page is still open, and an event wakes it.
    act(() => void window.dispatchEvent(new Event('online')));
    exchange.send(ANSWER[4]!);
    const again = open(login());
    await untilText(again, 'for A alone');
    expect(page.result.current.messages).toEqual([]);
    exchange.send(...ANSWER.slice(5)).done();
    await untilStatus(again, 'ready');
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('removes a request without a response, and the stored id of the tab', async () => {
    const page = open({ proxyAuthorization: world.token('user-a') });
    const { id } = page.result.current;
    send(page, 'Secret of A');
    const exchange = await world.upstream.next();
    await waitFor(async () => expect(await stored()).toContain('Secret of A'));
    await act(() => page.result.current.forget());
    await waitFor(() => expect(page.result.current.id).not.toBe(id));
    expect(page.result.current).toMatchObject({ status: 'ready', messages: [], error: undefined });
    const rest = await stored();
    for (const byte of ['Secret of A', id, 'user-a', ':turn:', ':answer:']) expect(rest).not.toContain(byte);
    exchange
      .begin()
      .send(...ANSWER)
      .done();
    await exchange.closed;
  });

  it('keeps the stored data of another user', async () => {
    const page = open({ id: uniqueId(), proxyAuthorization: world.token('user-a') });
    const exchange = await ask(page);
    const before = await stored();
    const other = open({ id: uniqueId(), proxyAuthorization: world.token('user-b') });
    await act(() => other.result.current.forget());
    expect(await stored()).toBe(before);
    exchange.send(...ANSWER.slice(4)).done();
    await untilText(page, 'for A alone');
  });
});

describe('forget while the token is awaited', () => {
  /** Opens a page that follows other devices, and records its requests. */
  const follow = (proxyAuthorization: () => Promise<string>) => {
    const requests: string[] = [];
    const request: typeof fetch = (input, init) => {
      requests.push(input instanceof Request ? input.url : input.toString());
      return fetch(input, init);
    };
    const page = open({ id: uniqueId(), followDevices: true, proxyAuthorization, fetch: request });
    return { page, requests };
  };

  it('opens no connection for the user afterwards', async () => {
    const token = withResolvers<string>();
    const asked = withResolvers();
    const { page, requests } = follow(() => {
      asked.resolve();
      return token.promise;
    });
    await act(() => asked.promise);
    await act(async () => {
      const forgotten = page.result.current.forget();
      token.resolve(world.token('user-a'));
      await forgotten;
    });
    // A page that is opened later has its connection.
    const later = follow(async () => world.token('user-b'));
    await waitFor(() => expect(later.requests.join()).toContain('live='));
    expect(requests).toEqual([]);
  });
});

describe('data stored by version 0.1', () => {
  it('is removed without being shown', async () => {
    const id = uniqueId();
    const turn = {
      requestId: id,
      messages: [{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'Old' }] }],
    };
    localStorage.setItem(`durable-proxy:turn:${world.client.proxyUrl}:turn:${id}`, JSON.stringify(turn));
    localStorage.setItem(`durable-proxy:answer:${world.client.proxyUrl}:${id}`, '[{"generation":1},9e15]');
    const page = open({ id, proxyAuthorization: world.token('user-a') });
    await waitFor(async () => expect(await stored()).toBe('[{},{},[]]'));
    expect(page.result.current.messages).toEqual([]);
  });
});

describe('another user in the same page', () => {
  it('gets a separate chat', async () => {
    const id = uniqueId();
    const page = open({ id, scope: 'user-a', proxyAuthorization: world.token('user-a') });
    const exchange = await ask(page);
    page.rerender({
      id,
      api: world.upstream.url,
      proxyUrl: world.client.proxyUrl,
      scope: 'user-b',
      proxyAuthorization: world.token('user-b'),
    });
    await waitFor(() => expect(page.result.current.messages).toEqual([]));
    exchange.send(...ANSWER.slice(4)).done();
    await exchange.closed;
    await act(() => page.result.current.resumeStream());
    expect(page.result.current.messages).toEqual([]);
  });
});
