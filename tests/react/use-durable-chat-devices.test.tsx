// @vitest-environment jsdom
import type { UIMessage } from '@ai-sdk/react';
import { act, waitFor } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';
import { MemoryStorage } from '../../core-client/storage.ts';
import { withResolvers } from '../support/with-resolvers.ts';
import { answerWith, textAnswer } from './support/answers.ts';
import { openPage, send, textOf, uniqueId, untilStatus, untilText, type Page } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const world = useWorld();

// Each page is a device: tabs of one browser would have channels.
beforeEach(() => {
  vi.stubGlobal('BroadcastChannel', undefined);
  return () => vi.unstubAllGlobals();
});

const openDevice = (id: string, more: object = {}): Page =>
  openPage({
    api: world.upstream.url,
    ...world.client,
    id,
    storage: new MemoryStorage(),
    followDevices: true,
    ...more,
  });
const texts = (page: Page): string[] => page.result.current.messages.map(textOf);
const user = (text: string): UIMessage => ({
  id: crypto.randomUUID(),
  role: 'user',
  parts: [{ type: 'text', text }],
});
const answer = textAnswer('Hel', 'lo');

/** Opens two devices. Resolves when the second one follows. */
async function openTwo(more: object = {}): Promise<[Page, Page]> {
  const id = uniqueId();
  return [openDevice(id), openDevice(id, more)];
}

it('shows an answer while it comes on another device, and stops it from there', async () => {
  const [first, second] = await openTwo();
  send(first);
  const exchange = (await world.upstream.next()).begin().send(...answer.slice(0, 4));
  for (const page of [first, second]) await untilText(page, 'Hel');
  expect(second.result.current.status).toBe('streaming');
  await act(() => second.result.current.stop());
  await exchange.closed;
  for (const page of [first, second]) await untilStatus(page, 'ready');
  await waitFor(() => expect(first.result.current.resumption.status).toBe('aborted'));
  for (const page of [first, second]) expect(textOf(page.result.current.messages.at(-1))).toBe('Hel');
  expect(world.upstream.exchanges).toHaveLength(1);
});

it('shows the end of an answer that the device which began it stops', async () => {
  const [first, second] = await openTwo();
  send(first);
  (await world.upstream.next()).begin().send(...answer.slice(0, 4));
  for (const page of [first, second]) await untilText(page, 'Hel');
  await act(() => first.result.current.stop());
  await untilStatus(second, 'ready');
  await waitFor(() => expect(second.result.current.resumption.status).toBe('aborted'));
});

it('calls fetchMessages before it shows the answer, and shows each answer once', async () => {
  const stored: UIMessage[] = [];
  const fetchMessages = vi.fn(() => [...stored]);
  const [first, second] = await openTwo({ fetchMessages });
  for (const [index, question] of ['One?', 'Two?'].entries()) {
    const message = user(question);
    stored.push(message);
    act(() => void first.result.current.sendMessage(message));
    const exchange = (await world.upstream.next()).begin().send(...answer.slice(0, 4));
    await untilText(second, 'Hel');
    expect(texts(second).at(-2)).toBe(question);
    exchange.send(...answer.slice(4)).done();
    for (const page of [first, second]) {
      await untilStatus(page, 'ready');
      await untilText(page, 'Hello');
    }
    stored.push(second.result.current.messages.at(-1)!);
    expect(texts(second)).toEqual(['One?', 'Hello', 'Two?', 'Hello'].slice(0, 2 * index + 2));
    expect(texts(first)).toEqual(texts(second));
  }
  expect(fetchMessages).toHaveBeenCalledTimes(2);
  expect(world.upstream.exchanges).toHaveLength(2);
});

it('shows only the messages of the app if they contain the answer already', async () => {
  const stored = [user('Hello?'), { ...user('Hello'), role: 'assistant' as const }];
  const [first, second] = await openTwo({ fetchMessages: () => stored });
  send(first);
  answerWith(await world.upstream.next(), answer);
  await waitFor(() => expect(texts(second)).toEqual(['Hello?', 'Hello']));
  await untilStatus(first, 'ready');
  expect(texts(second)).toEqual(['Hello?', 'Hello']);
});

it('does not replace a newer question and its answer by messages of the app that arrive late', async () => {
  const stored = withResolvers<UIMessage[]>();
  const fetchMessages = vi.fn(() => stored.promise);
  const [first, second] = await openTwo({ fetchMessages });
  send(first, 'Old question');
  const exchange = (await world.upstream.next()).begin().send(...answer.slice(0, 4));
  await waitFor(() => expect(fetchMessages).toHaveBeenCalledTimes(1));
  exchange.send(...answer.slice(4)).done();
  await untilStatus(first, 'ready');
  await waitFor(() => expect(fetchMessages).toHaveBeenCalledTimes(2));

  send(second, 'New question');
  answerWith(await world.upstream.next(), answer);
  await untilText(second, 'Hello');
  await untilStatus(second, 'ready');
  await act(async () => {
    stored.resolve([user('Old question'), { ...user('Old answer'), role: 'assistant' }]);
    await new Promise((resolve) => setTimeout(resolve));
  });
  expect(texts(second)).toEqual(['New question', 'Hello']);
});

it('answers on the second device after the first one, and on both in turn', async () => {
  const [first, second] = await openTwo();
  for (const [from, to] of [
    [first, second],
    [second, first],
    [first, second],
  ] as const) {
    const before = to.result.current.messages.length;
    send(from);
    const exchange = (await world.upstream.next()).begin().send(...answer.slice(0, 4));
    await waitFor(() => expect(to.result.current.messages.length).toBe(before + 1));
    exchange.send(...answer.slice(4)).done();
    for (const page of [from, to]) {
      await untilText(page, 'Hello');
      await untilStatus(page, 'ready');
    }
  }
  expect(world.upstream.exchanges).toHaveLength(3);
});

it('does not run client-side tools of an answer of another device', async () => {
  const calls = [vi.fn(), vi.fn()];
  const id = uniqueId();
  const [first, second] = calls.map((onToolCall) => openDevice(id, { onToolCall })) as [Page, Page];
  send(first);
  const exchange = (await world.upstream.next())
    .begin()
    .send(
      { type: 'start' },
      { type: 'start-step' },
      { type: 'tool-input-available', toolCallId: 'call', toolName: 'where', input: {} },
    );
  await waitFor(() => expect(second.result.current.messages.at(-1)?.parts).toHaveLength(2));
  exchange.send({ type: 'finish-step' }, { type: 'finish' }).done();
  for (const page of [first, second]) await untilStatus(page, 'ready');
  expect(calls.map((call) => call.mock.calls.length)).toEqual([1, 0]);
});

it('does not show an answer again that was over when the page opened', async () => {
  const id = uniqueId();
  const first = openDevice(id);
  send(first);
  answerWith(await world.upstream.next(), answer);
  await untilStatus(first, 'ready');
  const fetchMessages = vi.fn(() => []);
  const second = openDevice(id, { fetchMessages });
  // The second answer comes over the connection that has reported the first one.
  send(first);
  (await world.upstream.next()).begin().send(...answer.slice(0, 4));
  await untilText(second, 'Hel');
  expect(second.result.current.messages).toHaveLength(1);
  expect(fetchMessages).toHaveBeenCalledTimes(1);
});

it('does not follow other devices without followDevices', async () => {
  const id = uniqueId();
  const [first, second] = [openDevice(id), openDevice(id, { followDevices: false })];
  const third = openDevice(id);
  send(first);
  answerWith(await world.upstream.next(), answer);
  await untilText(third, 'Hello');
  expect(second.result.current.messages).toEqual([]);
});
