// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { act, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it } from 'vitest';
import { indexedDbStorage } from '../../core-client/transports/indexed-db.ts';
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

/** What the browser stores, as text. */
async function stored(): Promise<string> {
  const items = await Promise.all(
    (await database.keys()).map(async (key) => [key, await database.getItem(key)]),
  );
  return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, items]);
}

/** Sends as user A, and waits for the first words of the answer. */
async function ask(page: Page) {
  send(page, 'Secret of A');
  const exchange = (await world.upstream.next()).begin().send(...ANSWER.slice(0, 4));
  await untilText(page, 'for A ');
  await waitFor(async () => expect(await stored()).toContain('Secret of A'));
  return exchange;
}

/** How an app says who the user is. Each call is a page of its own, with a new token. */
const LOGINS: readonly [name: string, login: (user: string) => object][] = [
  ['a token', (user) => ({ proxyAuthorization: world.token(user) })],
  ['a function for a token', (user) => ({ proxyAuthorization: async () => world.token(user) })],
  [
    'scope, with a token that is not a JWT',
    // The proxy knows all by one secret, so the chat has an id of this tab alone.
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

describe.each(LOGINS)('the next user of a browser, known by %s', (_, login) => {
  it('sees nothing of an answer in progress and cannot stop it; the first user resumes it', async () => {
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
  it('leaves nothing of the user in the browser, and the answer goes on', async () => {
    const id = uniqueId();
    const login = () => ({ id, proxyAuthorization: world.token('user-a') });
    const page = open(login());
    const exchange = await ask(page);
    await act(() => page.result.current.forget());
    expect(page.result.current).toMatchObject({ messages: [], resumption: { status: 'idle' } });
    expect(await stored()).toBe('[{},{},[]]');

    // The page is still open, and something wakes it.
    act(() => void window.dispatchEvent(new Event('online')));
    exchange.send(ANSWER[4]!);
    const again = open(login());
    await untilText(again, 'for A alone');
    expect(page.result.current.messages).toEqual([]);
    exchange.send(...ANSWER.slice(5)).done();
    await untilStatus(again, 'ready');
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('leaves nothing of a request without a response, nor the id that the tab keeps', async () => {
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

  it('leaves what another user has stored', async () => {
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

describe('what version 0.1 stored', () => {
  it('is shown to nobody, and removed', async () => {
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
  it('gets a chat of their own', async () => {
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
