import { uiMessagesToWire, type UIMessage } from '@tanstack/ai/client';
import { describe, expect, it } from 'vitest';
import { toWireMessages } from './tanstack-wire.ts';

const CHAT = [
  {
    id: 's',
    role: 'system',
    parts: [
      { type: 'text', content: 'Be ' },
      { type: 'text', content: 'brief.' },
    ],
  },
  { id: 'u', role: 'user', parts: [{ type: 'text', content: 'Weather?' }] },
  {
    id: 'v',
    role: 'user',
    parts: [
      { type: 'text', content: 'This one.' },
      { type: 'image', source: { type: 'url', value: 'https://example.com/a.png' } },
    ],
  },
  {
    id: 'a',
    role: 'assistant',
    parts: [
      { type: 'thinking', content: 'Hm.', id: 'th', signature: 'sig' },
      { type: 'text', content: 'Looking. ' },
      { type: 'tool-call', id: 'c1', name: 'weather', arguments: '{}', state: 'input-complete' },
      { type: 'tool-result', toolCallId: 'c1', content: '4', state: 'complete' },
      {
        type: 'tool-call',
        id: 'c2',
        name: 'book',
        arguments: '{}',
        state: 'input-complete',
        output: { ok: 1 },
      },
      {
        type: 'tool-call',
        id: 'c3',
        name: 'pay',
        arguments: '{}',
        state: 'approval-responded',
        approval: { id: 'p', needsApproval: true, approved: false },
      },
      { type: 'text', content: 'Done.' },
    ],
  },
] as unknown as UIMessage[];

/** Removes TanStack's private data in `metadata.tanstack`, which its server does not need. */
const withoutNotes = (messages: readonly object[]): unknown =>
  JSON.parse(JSON.stringify(messages.map((message) => ({ ...message, metadata: undefined }))));

describe('toWireMessages', () => {
  it('returns the same messages as TanStack AI', () => {
    expect(withoutNotes(toWireMessages(CHAT))).toEqual(withoutNotes(uiMessagesToWire(CHAT)));
  });

  it('keeps the metadata of the user, and forwards messages without parts unchanged', () => {
    expect(
      toWireMessages([
        {
          id: 'u',
          role: 'user',
          parts: [{ type: 'text', content: 'x' } as { type: string }],
          metadata: { tag: 1 },
        },
        { role: 'user', content: 'plain' },
      ]),
    ).toEqual([
      { id: 'u', role: 'user', content: 'x', metadata: { tag: 1 } },
      { id: 'message-1', role: 'user', content: 'plain' },
    ]);
  });
});
