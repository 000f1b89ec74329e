// @vitest-environment jsdom
import type { UIMessage } from '@ai-sdk/react';
import { act, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { withResolvers } from '../support/with-resolvers.ts';
import { answerWith, textAnswer } from './support/answers.ts';
import { openPage, send, textOf, uniqueId, untilStatus, untilText, type Page } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const world = useWorld();

const open = (more: object = {}): Page => openPage({ api: world.upstream.url, ...world.client, ...more });

const toolCall = (...ids: readonly string[]): object[] => [
  { type: 'start' },
  { type: 'start-step' },
  ...ids.flatMap((toolCallId) => [
    { type: 'tool-input-start', toolCallId, toolName: 'where' },
    { type: 'tool-input-available', toolCallId, toolName: 'where', input: {} },
  ]),
  { type: 'finish-step' },
  { type: 'finish' },
];

const states = (message: UIMessage | undefined): unknown[] =>
  (message?.parts ?? [])
    .filter(({ type }) => type === 'tool-where')
    .map((part) => Reflect.get(part, 'state') as unknown);

/** Like the helpers of the SDK: sends when every tool has its result or approval. */
const whenDone = ({ messages }: { messages: UIMessage[] }): boolean => {
  const all = states(messages.at(-1));
  return (
    messages.at(-1)?.parts.at(-1)?.type === 'tool-where' &&
    all.length > 0 &&
    all.every((state) => state === 'output-available' || state === 'approval-responded')
  );
};

interface ToolCall {
  readonly toolCall: { readonly toolCallId: string };
}

const giveResult = (page: Page, toolCallId: string) =>
  act(async () =>
    page.result.current.addToolOutput({ tool: 'where' as never, toolCallId, output: `at ${toolCallId}` }),
  );

describe('a client-side tool after the end of its answer', () => {
  it.each(['no history', 'a history'])('is called again after a reload with %s', async (kind) => {
    const id = uniqueId();
    const calls: string[] = [];
    const options = {
      id,
      sendAutomaticallyWhen: whenDone,
      onToolCall: ({ toolCall }: ToolCall) => void calls.push(toolCall.toolCallId),
    };
    const first = open(options);
    send(first, 'Where?');
    answerWith(await world.upstream.next(), toolCall('a', 'b'));
    await waitFor(() => expect(calls).toEqual(['a', 'b']));
    await untilStatus(first, 'ready');
    // One result exists when the page is closed.
    await giveResult(first, 'a');
    const messages = kind === 'a history' ? [...first.result.current.messages] : [];
    first.unmount();

    const second = open({ ...options, messages });
    await waitFor(() => expect(calls).toEqual(['a', 'b', 'b']));
    await untilStatus(second, 'ready');
    await waitFor(() =>
      expect(states(second.result.current.messages[1])).toEqual(['output-available', 'input-available']),
    );
    // Waking up must not run it again.
    act(() => void window.dispatchEvent(new Event('online')));
    await act(() => second.result.current.resumeStream());
    await giveResult(second, 'b');
    const rest = await world.upstream.next();
    expect(JSON.stringify(rest.body)).toContain('at a');
    expect(JSON.stringify(rest.body)).toContain('at b');
    answerWith(rest, textAnswer('There.'));
    await untilText(second, 'There.');
    await untilStatus(second, 'ready');
    expect(calls).toEqual(['a', 'b', 'b']);
    expect(second.result.current.messages).toHaveLength(2);
    // The answer was read to its end, so nothing of it is stored.
    await waitFor(() =>
      expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain('Where?'),
    );
  });

  it('is not called again in a chat that continued elsewhere', async () => {
    const id = uniqueId();
    const calls: string[] = [];
    const options = { id, onToolCall: ({ toolCall }: ToolCall) => void calls.push(toolCall.toolCallId) };
    const first = open(options);
    send(first);
    answerWith(await world.upstream.next(), toolCall('a'));
    await untilStatus(first, 'ready');
    const answer = first.result.current.messages[1] as UIMessage;
    first.unmount();
    const done = {
      ...answer,
      parts: answer.parts.map((part) =>
        part.type === 'tool-where' ? { ...part, state: 'output-available', output: 1 } : part,
      ),
    } as UIMessage;
    const messages = [{ id: 'u', role: 'user', parts: [{ type: 'text', text: 'Hello' }] } as UIMessage, done];
    const sent = { ...messages[0], id: (first.result.current.messages[0] as UIMessage).id } as UIMessage;
    const second = open({ ...options, messages: [sent, done] });
    await act(() => second.result.current.resumeStream());
    expect(calls).toEqual(['a']);
    expect(states(second.result.current.messages[1])).toEqual(['output-available']);
  });
});

describe('a client-side tool that has not finished', () => {
  const openWithDialog = async () => {
    const called = withResolvers();
    const onToolCall = () => {
      called.resolve();
      return new Promise<void>(() => undefined);
    };
    const page = open({ id: uniqueId(), onToolCall });
    send(page, 'Where?');
    const exchange = await world.upstream.next();
    exchange.begin().send(...toolCall('a').slice(0, 4));
    await act(() => called.promise);
    return { page, exchange };
  };

  it('does not delay stop() and the next message', async () => {
    const { page, exchange } = await openWithDialog();
    await act(() => page.result.current.stop());
    await exchange.closed;
    await untilStatus(page, 'ready');
    send(page, 'Never mind.');
    answerWith(await world.upstream.next(), textAnswer('Fine.'));
    await untilText(page, 'Fine.');
  });

  it('does not delay forget()', async () => {
    const { page } = await openWithDialog();
    await act(() => page.result.current.forget());
    expect(page.result.current).toMatchObject({ status: 'ready', messages: [], error: undefined });
  });
});

describe('an approval of a tool', () => {
  it('is sent by the tab in which the user approved', async () => {
    const id = uniqueId();
    const first = open({ id, sendAutomaticallyWhen: whenDone });
    if (!('addToolApprovalResponse' in first.result.current)) return; // AI SDK 5 has no approvals.
    const second = open({ id, sendAutomaticallyWhen: whenDone });
    const approve = (answer: { id: string; approved: boolean }) => {
      const { current } = second.result;
      if (!('addToolApprovalResponse' in current)) throw new Error('the second page has no approvals');
      void (current.addToolApprovalResponse as (given: typeof answer) => void)(answer);
    };
    send(first);
    answerWith(await world.upstream.next(), [
      ...toolCall('a').slice(0, 4),
      { type: 'tool-approval-request', approvalId: 'ask-1', toolCallId: 'a' },
      ...toolCall('a').slice(4),
    ]);
    for (const page of [first, second]) {
      await waitFor(() => expect(states(page.result.current.messages[1])).toEqual(['approval-requested']));
      await untilStatus(page, 'ready');
    }
    act(() => approve({ id: 'ask-1', approved: true }));
    const rest = await world.upstream.next();
    expect(JSON.stringify(rest.body)).toContain('approval-responded');
    answerWith(rest, textAnswer('Done.'));
    for (const page of [first, second]) {
      await waitFor(() => expect(textOf(page.result.current.messages[1])).toBe('Done.'));
      await untilStatus(page, 'ready');
    }
    expect(world.upstream.exchanges).toHaveLength(2);
  });
});
