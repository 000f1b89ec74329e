// @vitest-environment jsdom
import { useChat, type UIMessage } from '@ai-sdk/react';
import { act, renderHook, waitFor } from '@testing-library/react';
import { DefaultChatTransport, uiMessageChunkSchema, type UIMessageChunk } from 'ai';
import { describe, expect, it } from 'vitest';
import { useDurableChat } from '../../react/useDurableChat.ts';
import { uniqueId } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const world = useWorld();

interface Chunk {
  readonly type: string;
  readonly [field: string]: unknown;
}

const PROGRESS: readonly Chunk[] = [
  { type: 'data-progress', data: 'early', transient: true },
  { type: 'data-progress', id: 'p', data: 10 },
];
const START: readonly Chunk[] = [
  { type: 'start', messageId: 'answer-1', messageMetadata: { model: 'm' } },
  { type: 'start-step' },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Hel' },
  { type: 'text-delta', id: 't', delta: 'lo' },
];
const input = (toolCallId: string, more: object = {}): readonly Chunk[] => [
  { type: 'tool-input-start', toolCallId, toolName: 'weather', ...more },
  { type: 'tool-input-delta', toolCallId, inputTextDelta: '{"city":' },
  { type: 'tool-input-delta', toolCallId, inputTextDelta: '"Oslo"}' },
  { type: 'tool-input-available', toolCallId, toolName: 'weather', input: { city: 'Oslo' }, ...more },
];

/** All chunk types of all majors. A major plays those that its schema knows. */
const ALL: readonly Chunk[] = [
  ...START,
  { type: 'text-end', id: 't' },
  { type: 'message-metadata', messageMetadata: { tokens: 7 } },
  { type: 'reasoning-start', id: 'r' },
  { type: 'reasoning-delta', id: 'r', delta: 'Hm.' },
  { type: 'reasoning-end', id: 'r' },
  { type: 'reasoning-file', url: 'https://app.example/thought.png', mediaType: 'image/png' },
  { type: 'source-url', sourceId: 's', url: 'https://app.example', title: 'Source' },
  { type: 'source-document', sourceId: 'd', mediaType: 'text/plain', title: 'Document' },
  { type: 'file', url: 'https://app.example/image.png', mediaType: 'image/png' },
  { type: 'custom', kind: 'app.note' },
  { type: 'data-progress', id: 'p', data: 50 },
  { type: 'data-progress', id: 'p', data: 100 },
  ...input('server', { providerExecuted: true }),
  {
    type: 'tool-output-available',
    toolCallId: 'server',
    output: 1,
    preliminary: true,
    providerExecuted: true,
  },
  { type: 'tool-output-available', toolCallId: 'server', output: 2, providerExecuted: true },
  ...input('broken', { dynamic: true }),
  { type: 'tool-output-error', toolCallId: 'broken', errorText: 'No.', dynamic: true },
  { type: 'tool-input-start', toolCallId: 'bad', toolName: 'weather' },
  { type: 'tool-input-error', toolCallId: 'bad', toolName: 'weather', input: '{', errorText: 'Not JSON.' },
  ...input('asked'),
  { type: 'tool-approval-request', approvalId: 'a', toolCallId: 'asked' },
  { type: 'tool-approval-response', approvalId: 'a', approved: false },
  { type: 'tool-output-denied', toolCallId: 'asked' },
  { type: 'finish-step' },
  { type: 'start-step' },
  { type: 'text-start', id: 'u' },
  { type: 'text-delta', id: 'u', delta: 'Not this.' },
  { type: 'reset-step' },
  { type: 'steering-message', id: 'steer', parts: [{ type: 'text', text: 'Shorter' }] },
  ...input('page'),
  { type: 'finish-step' },
  { type: 'finish', messageMetadata: { done: true } },
];

const SCRIPTS: Readonly<Record<string, readonly Chunk[]>> = {
  'of every type': ALL,
  'that reports progress before it starts': [
    ...PROGRESS,
    ...START,
    { type: 'finish-step' },
    { type: 'finish' },
  ],
  'that ends with an error': [...START, { type: 'error', errorText: 'Overloaded.' }],
  'that is nothing but an error': [{ type: 'error', errorText: 'Overloaded.' }],
  'that the backend aborts': [...START, { type: 'abort' }],
};

/** Fails to compile if this major has a type that no script plays. */
type Played =
  | `data-${string}`
  | 'start'
  | 'finish'
  | 'abort'
  | 'error'
  | 'message-metadata'
  | 'start-step'
  | 'finish-step'
  | 'reset-step'
  | 'text-start'
  | 'text-delta'
  | 'text-end'
  | 'reasoning-start'
  | 'reasoning-delta'
  | 'reasoning-end'
  | 'reasoning-file'
  | 'source-url'
  | 'source-document'
  | 'file'
  | 'custom'
  | 'steering-message'
  | 'tool-input-start'
  | 'tool-input-delta'
  | 'tool-input-available'
  | 'tool-input-error'
  | 'tool-output-available'
  | 'tool-output-error'
  | 'tool-output-denied'
  | 'tool-approval-request'
  | 'tool-approval-response';
const MISSING: [Exclude<UIMessageChunk['type'], Played>] extends [never] ? 0 : 'a type is not played' = 0;

/** Returns true if this major knows the chunk. */
async function isKnown(chunk: Chunk): Promise<boolean> {
  const given = uiMessageChunkSchema as unknown;
  const schema = (typeof given === 'function' ? (given as () => unknown)() : given) as {
    validate?: (value: unknown) => Promise<{ success: boolean }> | { success: boolean };
    safeParse?: (value: unknown) => { success: boolean };
  };
  return (schema.validate ? await schema.validate(chunk) : schema.safeParse!(chunk)).success;
}

/** Sent after each chunk of a script. Both hooks forward it immediately, and it changes no message. */
const mark = (step: number) => ({ type: 'data-mark', data: step, transient: true });

interface Hook {
  readonly status: string;
  readonly messages: readonly UIMessage[];
  readonly sendMessage: (message: { text: string }) => Promise<void>;
}

/** Renders a hook and records its callbacks and states, separately, because React decides when it renders. */
function observe(use: (callbacks: object) => Hook) {
  const log: unknown[] = [];
  const callbacks = {
    onData: (part: { type: string; data: unknown }) => log.push(['onData', part.type, part.data]),
    onToolCall: ({ toolCall }: { toolCall: { toolCallId: string; input: unknown } }) =>
      void log.push(['onToolCall', toolCall.toolCallId, toolCall.input]),
    onFinish: ({ message, isAbort, isError }: { message: UIMessage; isAbort: boolean; isError: boolean }) =>
      log.push(['onFinish', message.parts.length, isAbort, isError]),
    onError: ({ message }: Error) => log.push(['onError', message]),
  };
  const statuses: string[] = [];
  const page = renderHook(() => {
    const hook = use(callbacks);
    if (statuses.at(-1) !== hook.status) statuses.push(hook.status);
    return hook;
  });
  return {
    log,
    statuses,
    send: () => act(() => void page.result.current.sendMessage({ text: 'Hello' })),
    marks: () => log.filter((entry) => (entry as unknown[])[1] === 'data-mark').length,
    snapshot: () =>
      JSON.parse(JSON.stringify(page.result.current.messages.map(({ id: _, ...rest }) => rest))) as unknown,
    get status() {
      return page.result.current.status;
    },
  };
}

/** Plays a script to a hook chunk by chunk. Returns its callbacks, and its state after each chunk. */
async function play(script: readonly Chunk[], use: (callbacks: object) => Hook) {
  const page = observe(use);
  page.send();
  // `useChat` connects to the upstream directly, whose reset may have closed a kept-alive connection.
  const exchange = (await world.upstream.next()).begin('text/event-stream', 200, { connection: 'close' });
  const shown: unknown[] = [];
  for (const [step, chunk] of script.entries()) {
    exchange.send(chunk);
    if (chunk.type === 'error') break;
    exchange.send(mark(step));
    await waitFor(() => expect(page.marks()).toBe(step + 1));
    shown.push([chunk.type, page.status, page.snapshot()]);
  }
  exchange.done();
  await waitFor(() => expect(['ready', 'error']).toContain(page.status));
  await waitFor(() => expect(JSON.stringify(page.log)).toContain('onFinish'));
  return { log: page.log, statuses: page.statuses, shown, end: page.snapshot() };
}

describe.each(Object.entries(SCRIPTS))('an answer %s', (_, all) => {
  it('has the same effects in useDurableChat as in useChat after each chunk', async () => {
    expect(MISSING).toBe(0);
    const known = await Promise.all(all.map(isKnown));
    const script = all.filter((_, index) => known[index]);
    const api = world.upstream.url;
    const [first, second] = [uniqueId(), uniqueId()];
    const transport = new DefaultChatTransport<UIMessage>({ api });
    const expected = await play(script, (callbacks) => useChat({ id: first, transport, ...callbacks }));
    const actual = await play(script, (callbacks) =>
      useDurableChat({ id: second, api, ...world.client, ...callbacks }),
    );
    expect(actual).toEqual(expected);
  });
});
