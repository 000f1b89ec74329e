// @vitest-environment jsdom
import type { UIMessage } from '@ai-sdk/react';
import { act, render, renderHook, waitFor } from '@testing-library/react';
import { Activity } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  useDurableChat,
  type UseDurableChatHelpers,
  type UseDurableChatOptions,
} from '../../react/useDurableChat.ts';
import { answerWith, textAnswer } from './support/answers.ts';
import { openPage, send, textOf, uniqueId, untilStatus, untilText, type Page } from './support/chat.tsx';
import { heldStorage } from './support/delayed-storage.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

afterEach(() => {
  vi.restoreAllMocks();
});

const open = (more: object = {}): Page => openPage({ api: world.upstream.url, ...world.client, ...more });

const MODEL_ERROR = [
  ...textAnswer('half').slice(0, 4),
  { type: 'error', errorText: 'Overloaded.' },
  { type: 'finish' },
];

describe('a model error in a complete answer', () => {
  it('fails the resumption with the message of the model', async () => {
    for (const isSlow of [false, true]) {
      const page = open({ id: uniqueId() });
      send(page);
      const exchange = (await world.upstream.next()).begin();
      exchange.send(...MODEL_ERROR.slice(0, 5));
      if (isSlow) await untilStatus(page, 'error');
      exchange.send(...MODEL_ERROR.slice(5)).done();
      await untilStatus(page, 'error');
      await exchange.closed;
      expect(page.result.current.error?.message).toBe('Overloaded.');
      await waitFor(() =>
        expect(page.result.current.resumption).toMatchObject({
          status: 'failed',
          outcome: 'upstream-error',
          error: { name: 'ModelError', message: 'Overloaded.' },
        }),
      );
      page.unmount();
    }
  });

  it('is not resumed: each retry calls the model', async () => {
    const page = open({ id: uniqueId() });
    send(page);
    answerWith(await world.upstream.next(), MODEL_ERROR);
    await untilStatus(page, 'error');
    for (const answer of [MODEL_ERROR, MODEL_ERROR, textAnswer('whole')]) {
      let retried: Promise<void> | undefined;
      act(() => void (retried = page.result.current.retry()));
      answerWith(await world.upstream.next(), answer);
      await act(async () => retried);
    }
    expect(page.result.current).toMatchObject({ status: 'ready', error: undefined });
    expect(page.result.current.messages.map(textOf)).toEqual(['Hello', 'whole']);
    expect(world.upstream.exchanges).toHaveLength(4);
  });

  it('is not resumed by a retry while the rest of the answer is still arriving', async () => {
    const page = open({ id: uniqueId() });
    send(page);
    (await world.upstream.next()).begin().send(...MODEL_ERROR.slice(0, 5));
    await untilStatus(page, 'error');
    let retried: Promise<void> | undefined;
    act(() => void (retried = page.result.current.retry()));
    answerWith(await world.upstream.next(), textAnswer('whole'));
    await act(async () => retried);
    expect(page.result.current.messages.map(textOf)).toEqual(['Hello', 'whole']);
  });
});

describe('throttle', () => {
  it('limits the renders for progress', async () => {
    let renders = 0;
    let arrived: (() => void) | undefined;
    const onResumption = () => arrived?.();
    const options = { id: uniqueId(), api: world.upstream.url, ...world.client, throttle: 300, onResumption };
    const page = renderHook(() => {
      renders++;
      return useDurableChat(options);
    });
    act(() => void page.result.current.sendMessage({ text: 'Hello' }));
    const exchange = (await world.upstream.next()).begin().send(...textAnswer().slice(0, 3));
    await waitFor(() => expect(page.result.current.status).toBe('streaming'));
    const before = { renders, at: performance.now(), bytes: page.result.current.resumption.receivedBytes };
    for (let index = 0; index < 60; index++) {
      exchange.send({ type: 'text-delta', id: 't', delta: 'x' });
      // The next frame is sent after this one has arrived, so that each causes a new resumption.
      await new Promise<void>((resolve) => (arrived = resolve));
    }
    exchange.send(...textAnswer().slice(-3)).done();
    await waitFor(() => expect(page.result.current.status).toBe('ready'));
    await waitFor(() => expect(textOf(page.result.current.messages.at(-1))).toHaveLength(60));
    // Messages and resumption once in 300 ms each, and the changes of status.
    const most = 2 * Math.ceil((performance.now() - before.at) / 300) + 8;
    expect(renders - before.renders).toBeLessThanOrEqual(most);
    expect(page.result.current.resumption.receivedBytes).toBeGreaterThan(before.bytes);
  });
});

describe('a data part', () => {
  it('is passed to onData once, even if the answer is replayed after a lost connection', async () => {
    const seen: unknown[] = [];
    const page = open({
      id: uniqueId(),
      maxReconnectAttempts: 1,
      onData: ({ data }: { data: unknown }) => seen.push(data),
    });
    send(page);
    const exchange = (await world.upstream.next())
      .begin()
      .send(
        { type: 'start' },
        { type: 'data-step', data: 1 },
        { type: 'data-step', data: 2, transient: true },
      );
    await waitFor(() => expect(seen).toEqual([1, 2]));
    world.relay.down();
    await untilStatus(page, 'error');
    world.relay.up();
    act(() => void window.dispatchEvent(new Event('online')));
    await untilStatus(page, 'streaming');
    exchange.send({ type: 'data-step', data: 3 }, ...textAnswer('x').slice(1)).done();
    await untilText(page, 'x');
    await untilStatus(page, 'ready');
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('messages that cannot be cloned', () => {
  it('are sent anyway, and shown in other tabs', async () => {
    const id = uniqueId();
    const first = open({ id });
    // AI SDK 5 clones messages itself, and fails with these.
    if (!('addToolApprovalResponse' in first.result.current)) return;
    const second = open({ id });
    act(
      () =>
        void first.result.current.sendMessage({
          text: 'Hello',
          metadata: { format: () => 'no clone of a function' },
        } as never),
    );
    answerWith(await world.upstream.next(), textAnswer('Hi'));
    for (const page of [first, second]) {
      await untilText(page, 'Hi');
      await untilStatus(page, 'ready');
    }
    expect(second.result.current.messages.map(textOf)).toEqual(['Hello', 'Hi']);
  });
});

describe('a duplicated tab', () => {
  it('gets its own chat, and keeps it after a reload', async () => {
    const first = open();
    send(first);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('one', '!').slice(0, 4));
    await untilText(first, 'one');
    // The copy has the same sessionStorage, but is another document.
    vi.spyOn(performance, 'timeOrigin', 'get').mockReturnValue(performance.timeOrigin + 1);
    const copy = open();
    await waitFor(() => expect(copy.result.current.id).not.toBe(first.result.current.id));
    await waitFor(() => expect(copy.result.current.messages).toEqual([]));
    send(copy, 'Other');
    answerWith(await world.upstream.next(), textAnswer('two'));
    await untilText(copy, 'two');
    await untilStatus(copy, 'ready');
    expect(first.result.current.messages.map(textOf)).toEqual(['Hello', 'one']);
    exchange.send(...textAnswer('one', '!').slice(4)).done();
    await untilStatus(first, 'ready');
    expect(first.result.current.messages.map(textOf)).toEqual(['Hello', 'one!']);
  });
});

describe('a chat in a hidden <Activity>', () => {
  const openHideable = (id: string, more: Partial<UseDurableChatOptions>) => {
    let chat!: UseDurableChatHelpers;
    function Chat() {
      chat = useDurableChat({ id, api: world.upstream.url, ...world.client, ...more });
      return null;
    }
    const tree = (mode: 'hidden' | 'visible') => (
      <Activity mode={mode}>
        <Chat />
      </Activity>
    );
    const view = render(tree('visible'));
    return {
      get chat() {
        return chat;
      },
      show: (mode: 'hidden' | 'visible') => view.rerender(tree(mode)),
      /** Resolves when the chat is released, one turn after the clean-up of its effects. */
      async hide() {
        const closed = vi.spyOn(BroadcastChannel.prototype, 'close');
        this.show('hidden');
        await waitFor(() => expect(closed).toHaveBeenCalled());
      },
      texts: () => chat.messages.map((message: UIMessage) => textOf(message)),
    };
  };

  it.each(['begins', 'continues', 'ends'])(
    'is complete when it is shown again, even if its answer %s while it is hidden',
    async (when) => {
      let finished = 0;
      const page = openHideable(uniqueId(), { onFinish: () => finished++ });
      act(() => void page.chat.sendMessage({ text: 'Hello' }));
      const exchange = await world.upstream.next();
      if (when === 'begins') await page.hide();
      exchange.begin().send(...textAnswer('one ', 'two ', 'three').slice(0, 4));
      if (when !== 'begins') {
        await waitFor(() => expect(page.texts()).toEqual(['Hello', 'one ']));
        await page.hide();
      }
      exchange.send({ type: 'text-delta', id: 't', delta: 'two ' });
      const rest = () => exchange.send(...textAnswer('one ', 'two ', 'three').slice(5)).done();
      if (when === 'ends') rest();
      page.show('visible');
      await waitFor(() => expect(page.texts()[1]).toContain('one two '));
      if (when !== 'ends') rest();
      await waitFor(() => expect(page.chat.status).toBe('ready'));
      await waitFor(() => expect(page.texts()).toEqual(['Hello', 'one two three']));
      expect(page.chat.error).toBeUndefined();
      expect(world.upstream.exchanges).toHaveLength(1);
      expect(finished).toBe(1);
    },
  );

  it('resumes the answer if it was hidden and shown while the storage was read', async () => {
    const { storage, waiting, release } = heldStorage('getItem', (key) => key.includes(':turn:'));
    const id = uniqueId();
    const first = open({ id });
    send(first);
    (await world.upstream.next()).begin().send(...textAnswer('one ', 'two').slice(0, 4));
    await untilText(first, 'one ');
    const page = openHideable(id, { storage });
    await act(() => waiting);
    await page.hide();
    page.show('visible');
    release();
    await waitFor(() => expect(page.texts()).toEqual(['one ']));
  });
});
