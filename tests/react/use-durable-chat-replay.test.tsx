// @vitest-environment jsdom
import type { UIMessage } from '@ai-sdk/react';
import { act, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { answerWith, richAnswer, textAnswer } from './support/answers.ts';
import {
  openPage,
  send,
  shown,
  textOf,
  uniqueId,
  untilStatus,
  untilText,
  type Page,
} from './support/chat.tsx';
import { Locks } from './support/locks.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

const open = (more: object = {}): Page => openPage({ api: world.upstream.url, ...world.client, ...more });

/** A client-side tool. */
const TOOL_CALL = [
  { type: 'start' },
  { type: 'start-step' },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Looking. ' },
  { type: 'text-end', id: 't' },
  { type: 'tool-input-start', toolCallId: 'call-1', toolName: 'where' },
  { type: 'tool-input-available', toolCallId: 'call-1', toolName: 'where', input: {} },
];
const TOOL_END = [{ type: 'finish-step' }, { type: 'finish' }];

interface ToolCall {
  readonly toolCallId: string;
}

const toolState = (message: UIMessage | undefined): unknown =>
  message?.parts.find((part) => part.type === 'tool-where' && 'state' in part && part.state) &&
  Reflect.get(message.parts.find((part) => part.type === 'tool-where') ?? {}, 'state');

/** As in the SDK's `lastAssistantMessageIsCompleteWithToolCalls`. */
const whenToolsAreDone = ({ messages }: { messages: UIMessage[] }): boolean => {
  const parts = messages.at(-1)?.parts ?? [];
  const step = parts.slice(parts.findLastIndex(({ type }) => type === 'step-start') + 1);
  return (
    step.length > 0 &&
    step.every(
      (part) => !part.type.startsWith('tool-') || toolState(messages.at(-1)) === 'output-available',
    ) &&
    step.some(({ type }) => type.startsWith('tool-'))
  );
};

describe('a replay', () => {
  it('results in the same message for a reload at any position and any stored history', async () => {
    const whole = open({ id: uniqueId() });
    send(whole);
    answerWith(await world.upstream.next(), richAnswer);
    await untilStatus(whole, 'ready');
    const expected = shown(whole.result.current.messages[1]);
    whole.unmount();

    for (let length = 1; length < richAnswer.length; length++) {
      const id = uniqueId();
      const first = open({ id });
      send(first);
      const exchange = (await world.upstream.next()).begin().send(...richAnswer.slice(0, length));
      await waitFor(() => expect(first.result.current.resumption.receivedBytes).toBeGreaterThan(0));
      await waitFor(() => expect(first.result.current.messages).toHaveLength(2));
      // An app that saves during the answer has a part of it in its history; another app has nothing.
      const messages = length % 2 ? [...first.result.current.messages] : [];
      first.unmount();
      const second = open({ id, messages });
      await waitFor(() => expect(second.result.current.status).not.toBe('ready'));
      exchange.send(...richAnswer.slice(length)).done();
      await untilStatus(second, 'ready');
      expect(second.result.current.messages.map(({ role }) => role)).toEqual(['user', 'assistant']);
      expect(shown(second.result.current.messages[1])).toEqual(expected);
      second.unmount();
    }
  });

  it('keeps the existing parts of a message that the answer continues', async () => {
    const id = uniqueId();
    const options = {
      id,
      sendAutomaticallyWhen: whenToolsAreDone,
    };
    const first = open(options);
    send(first);
    (await world.upstream.next())
      .begin()
      .send(...TOOL_CALL, ...TOOL_END)
      .done();
    await untilStatus(first, 'ready');
    await act(async () =>
      first.result.current.addToolOutput({
        tool: 'where' as never,
        toolCallId: 'call-1',
        output: 'Oslo',
      }),
    );
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('In ', 'Oslo.').slice(0, 4));
    await untilText(first, 'Looking. In ');
    first.unmount();
    const second = open(options);
    await untilText(second, 'Looking. In ');
    exchange.send(...textAnswer('In ', 'Oslo.').slice(4)).done();
    await untilStatus(second, 'ready');
    expect(second.result.current.messages).toHaveLength(2);
    expect(textOf(second.result.current.messages[1])).toBe('Looking. In Oslo.');
    expect(toolState(second.result.current.messages[1])).toBe('output-available');
    expect(world.upstream.exchanges).toHaveLength(2);
  });
});

describe('a tool that runs in the page', () => {
  it('is called once even if a reload replays its call, and its result is kept', async () => {
    const id = uniqueId();
    const calls: string[] = [];
    const options = {
      id,
      sendAutomaticallyWhen: whenToolsAreDone,
      onToolCall: ({ toolCall }: { toolCall: ToolCall }) => void calls.push(toolCall.toolCallId),
    };
    const first = open(options);
    send(first);
    const exchange = (await world.upstream.next()).begin().send(...TOOL_CALL);
    await waitFor(() => expect(calls).toEqual(['call-1']));
    await act(async () =>
      first.result.current.addToolOutput({
        tool: 'where' as never,
        toolCallId: 'call-1',
        output: 'Oslo',
      }),
    );
    first.unmount();
    const second = open(options);
    await waitFor(() => expect(toolState(second.result.current.messages[1])).toBe('output-available'));
    exchange.send(...TOOL_END).done();
    // All tools are done, so the SDK itself requests the rest, with the result.
    const rest = await world.upstream.next();
    expect(JSON.stringify(rest.body)).toContain('"output":"Oslo"');
    answerWith(rest, textAnswer('Oslo.'));
    await untilText(second, 'Looking. Oslo.');
    await untilStatus(second, 'ready');
    expect(calls).toEqual(['call-1']);
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('is called once by a page whose network was lost and came back', async () => {
    const calls: string[] = [];
    const page = open({
      maxReconnectAttempts: 1,
      onToolCall: ({ toolCall }: { toolCall: ToolCall }) => void calls.push(toolCall.toolCallId),
    });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...TOOL_CALL);
    await waitFor(() => expect(calls).toEqual(['call-1']));
    world.relay.down();
    await untilStatus(page, 'error');
    world.relay.up();
    act(() => void window.dispatchEvent(new Event('online')));
    exchange.send(...TOOL_END).done();
    await untilStatus(page, 'ready');
    expect(calls).toEqual(['call-1']);
    expect(page.result.current.messages.map(textOf)).toEqual(['Hello', 'Looking. ']);
  });

  it('is called in one tab, which also sends the next request', async () => {
    const id = uniqueId();
    const calls: string[] = [];
    const tab = (name: string) =>
      open({
        id,
        sendAutomaticallyWhen: whenToolsAreDone,
        onToolCall: () => void calls.push(name),
      });
    const first = tab('first');
    const second = tab('second');
    send(first);
    const exchange = (await world.upstream.next()).begin().send(...TOOL_CALL);
    for (const page of [first, second]) await untilText(page, 'Looking. ');
    exchange.send(...TOOL_END).done();
    for (const page of [first, second]) await untilStatus(page, 'ready');
    await act(async () =>
      first.result.current.addToolOutput({ tool: 'where', toolCallId: 'call-1', output: 'Oslo' }),
    );
    answerWith(await world.upstream.next(), textAnswer('Oslo.'));
    for (const page of [first, second]) {
      await untilText(page, 'Looking. Oslo.');
      await untilStatus(page, 'ready');
      expect(page.result.current.messages).toHaveLength(2);
    }
    expect(calls).toEqual(['first']);
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('is called by a tab that was opened later only if no other tab is left', async () => {
    Object.defineProperty(navigator, 'locks', { value: new Locks(), configurable: true });
    const id = uniqueId();
    const calls: string[] = [];
    const tab = (name: string) => open({ id, onToolCall: () => void calls.push(name) });
    const first = tab('first');
    send(first);
    const exchange = (await world.upstream.next()).begin().send(...TOOL_CALL.slice(0, 4));
    await untilText(first, 'Looking. ');
    const second = tab('second');
    await untilText(second, 'Looking. ');
    exchange.send(...TOOL_CALL.slice(4));
    for (const page of [first, second]) {
      await waitFor(() => expect(toolState(page.result.current.messages[1])).toBe('input-available'));
    }
    expect(calls).toEqual(['first']);
    for (const page of [first, second]) page.unmount();
    const third = tab('third');
    await waitFor(() => expect(calls).toEqual(['first', 'third']));
    exchange.send(...TOOL_END).done();
    await untilStatus(third, 'ready');
    Reflect.deleteProperty(navigator, 'locks');
  });

  it('is called again in the next answer with the same tool call id', async () => {
    const calls: string[] = [];
    const page = open({
      onToolCall: ({ toolCall }: { toolCall: ToolCall }) => void calls.push(toolCall.toolCallId),
    });
    for (const turn of [1, 2]) {
      send(page);
      answerWith(await world.upstream.next(), [...TOOL_CALL, ...TOOL_END]);
      await waitFor(() => expect(calls).toHaveLength(turn));
      await untilStatus(page, 'ready');
    }
  });
});
