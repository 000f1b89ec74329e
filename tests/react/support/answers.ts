import type { Exchange } from './upstream.ts';

/** A text answer in the AI SDK's UI message stream, without `messageId`, as the SDK's backend sends it. */
export const textAnswer = (...deltas: readonly string[]): object[] => [
  { type: 'start' },
  { type: 'start-step' },
  { type: 'text-start', id: 't' },
  ...deltas.map((delta) => ({ type: 'text-delta', id: 't', delta })),
  { type: 'text-end', id: 't' },
  { type: 'finish-step' },
  { type: 'finish' },
];

/** An answer with reasoning, text, replaced data, the streamed input of a tool, and its output. */
export const richAnswer: readonly object[] = [
  { type: 'start', messageMetadata: { model: 'm' } },
  { type: 'start-step' },
  { type: 'data-plan', id: 'plan', data: { step: 1 } },
  { type: 'reasoning-start', id: 'r' },
  { type: 'reasoning-delta', id: 'r', delta: 'Let me ' },
  { type: 'reasoning-delta', id: 'r', delta: 'think.' },
  { type: 'reasoning-end', id: 'r' },
  { type: 'tool-input-start', toolCallId: 'call-1', toolName: 'weather', providerExecuted: true },
  { type: 'tool-input-delta', toolCallId: 'call-1', inputTextDelta: '{"city":' },
  { type: 'tool-input-delta', toolCallId: 'call-1', inputTextDelta: '"Oslo"}' },
  {
    type: 'tool-input-available',
    toolCallId: 'call-1',
    toolName: 'weather',
    input: { city: 'Oslo' },
    providerExecuted: true,
  },
  { type: 'tool-output-available', toolCallId: 'call-1', output: { degrees: 4 }, providerExecuted: true },
  { type: 'finish-step' },
  { type: 'start-step' },
  { type: 'data-plan', id: 'plan', data: { step: 2 } },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Four degrees, ' },
  { type: 'text-delta', id: 't', delta: 'no rain \u2602\ufe0f.' },
  { type: 'text-end', id: 't' },
  { type: 'finish-step' },
  { type: 'finish', messageMetadata: { tokens: 7 } },
];

export function answerWith(exchange: Exchange, events: readonly object[]): void {
  exchange
    .begin()
    .send(...events)
    .done();
}
