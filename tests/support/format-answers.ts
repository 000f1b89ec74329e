import type { FormatName, Usage } from '../../protocol/usage.ts';

/** A short answer in one of the formats, written by hand after the providers' documentation. */
export interface FormatAnswer {
  readonly format: FormatName;
  readonly headers: Readonly<Record<string, string>>;
  /** The events as they are on the wire, each with its empty line. */
  readonly events: readonly string[];
  /** Number of events that complete the answer. The others contain usage, or are a marker. */
  readonly whole: number;
  readonly usage: Usage;
  /** An event by which the provider reports an error. */
  readonly error: string;
}

const SSE = { 'content-type': 'text/event-stream; charset=utf-8' };

const data = (value: unknown): string =>
  `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
const named = (value: { type: string }): string => `event: ${value.type}\n${data(value)}`;

const chatChunk = (delta: object, more: object = {}, finish: string | null = null) =>
  data({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    model: 'gpt-test',
    choices: [{ index: 0, delta, finish_reason: finish }],
    ...more,
  });

const response = { id: 'resp_1', object: 'response', model: 'gpt-test' };

export const FORMAT_ANSWERS: readonly FormatAnswer[] = [
  {
    format: 'openai-chat',
    headers: SSE,
    events: [
      chatChunk({ role: 'assistant', content: '' }),
      chatChunk({ content: 'Grüße, "finish_reason":"stop"' }),
      chatChunk({}, {}, 'stop'),
      chatChunk(
        {},
        {
          choices: [],
          usage: {
            prompt_tokens: 16,
            completion_tokens: 30,
            prompt_tokens_details: { cached_tokens: 4 },
            completion_tokens_details: { reasoning_tokens: 20 },
          },
        },
      ),
      data('[DONE]'),
    ],
    whole: 3,
    usage: {
      format: 'openai-chat',
      model: 'gpt-test',
      providerId: 'chatcmpl-1',
      finishReason: 'stop',
      inputTokens: 16,
      outputTokens: 30,
      cachedInputTokens: 4,
      reasoningTokens: 20,
    },
    error: data({ error: { message: 'overloaded', type: 'server_error', code: null } }),
  },
  {
    format: 'openai-responses',
    headers: SSE,
    events: [
      named({ type: 'response.created', ...{ sequence_number: 0, response: { ...response, usage: null } } }),
      named({ type: 'response.output_text.delta', ...{ delta: '{"type":"response.completed"} 🌊' } }),
      named({
        type: 'response.completed',
        ...{
          response: {
            ...response,
            status: 'completed',
            usage: {
              input_tokens: 16,
              output_tokens: 30,
              input_tokens_details: { cached_tokens: 4 },
              output_tokens_details: { reasoning_tokens: 20 },
            },
          },
        },
      }),
    ],
    whole: 3,
    usage: {
      format: 'openai-responses',
      model: 'gpt-test',
      providerId: 'resp_1',
      finishReason: 'completed',
      inputTokens: 16,
      outputTokens: 30,
      cachedInputTokens: 4,
      reasoningTokens: 20,
    },
    error: named({
      type: 'response.failed',
      ...{ response: { ...response, error: { code: 'server_error', message: 'overloaded' } } },
    }),
  },
  {
    format: 'anthropic-messages',
    headers: SSE,
    events: [
      named({
        type: 'message_start',
        ...{
          message: {
            id: 'msg_1',
            model: 'claude-test',
            usage: {
              input_tokens: 10,
              cache_read_input_tokens: 4,
              cache_creation_input_tokens: 2,
              output_tokens: 1,
            },
          },
        },
      }),
      named({ type: 'ping' }),
      named({
        type: 'content_block_delta',
        ...{ index: 0, delta: { type: 'text_delta', text: 'event: message_stop é' } },
      }),
      named({
        type: 'message_delta',
        ...{ delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 30 } },
      }),
      named({ type: 'message_stop' }),
    ],
    whole: 5,
    usage: {
      format: 'anthropic-messages',
      model: 'claude-test',
      providerId: 'msg_1',
      finishReason: 'end_turn',
      inputTokens: 16,
      outputTokens: 30,
      cachedInputTokens: 4,
    },
    error: named({ type: 'error', ...{ error: { type: 'server_error', message: 'overloaded' } } }),
  },
  {
    format: 'gemini',
    headers: SSE,
    events: ['{"finishReason":"STOP"}', ' 🌊', ''].map(
      (text, at) =>
        `data: ${JSON.stringify({
          candidates: [{ content: { parts: [{ text }] }, ...(at === 2 && { finishReason: 'STOP' }) }],
          usageMetadata: {
            promptTokenCount: 16,
            candidatesTokenCount: at * 5,
            thoughtsTokenCount: 20,
            cachedContentTokenCount: 4,
          },
          modelVersion: 'gemini-test',
          responseId: 'r1',
        })}\r\n\r\n`,
    ),
    whole: 3,
    usage: {
      format: 'gemini',
      model: 'gemini-test',
      providerId: 'r1',
      finishReason: 'STOP',
      inputTokens: 16,
      outputTokens: 30,
      cachedInputTokens: 4,
      reasoningTokens: 20,
    },
    error: data({ error: { code: 503, status: 'server_error', message: 'overloaded' } }),
  },
  {
    format: 'gemini-interactions',
    headers: SSE,
    events: [
      data({
        event_type: 'interaction.created',
        event_id: 'a',
        interaction: { id: 'v1_1', model: 'gemini-test' },
      }),
      data({ event_type: 'step.delta', delta: { text: '"event_type":"interaction.completed"' } }),
      data({
        event_type: 'interaction.completed',
        interaction: {
          id: 'v1_1',
          status: 'completed',
          usage: {
            total_input_tokens: 16,
            total_output_tokens: 10,
            total_thought_tokens: 20,
            total_cached_tokens: 4,
          },
        },
      }),
      data('[DONE]'),
    ],
    whole: 3,
    usage: {
      format: 'gemini-interactions',
      model: 'gemini-test',
      providerId: 'v1_1',
      finishReason: 'completed',
      inputTokens: 16,
      outputTokens: 30,
      cachedInputTokens: 4,
      reasoningTokens: 20,
    },
    error: data({ event_type: 'error', error: { code: 'server_error', message: 'overloaded' } }),
  },
  {
    format: 'ai-sdk-ui',
    headers: { ...SSE, 'x-vercel-ai-ui-message-stream': 'v1' },
    events: [
      data({ type: 'start', messageId: 'm1' }),
      data({ type: 'start-step' }),
      data({ type: 'text-start', id: '1' }),
      data({ type: 'text-delta', id: '1', delta: '[DONE] {"type":"finish"}' }),
      data({ type: 'finish', finishReason: 'stop' }),
      data('[DONE]'),
    ],
    whole: 5,
    usage: { format: 'ai-sdk-ui', finishReason: 'stop' },
    error: data({ type: 'error', errorText: 'overloaded' }),
  },
  {
    format: 'ag-ui',
    headers: SSE,
    events: [
      data({ type: 'RUN_STARTED', runId: 'run-1', threadId: 't1', model: 'gpt-test' }),
      data({ type: 'TEXT_MESSAGE_START', messageId: 'm1', role: 'assistant' }),
      data({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: '"type":"RUN_FINISHED"' }),
      data({
        type: 'RUN_FINISHED',
        runId: 'run-1',
        finishReason: 'stop',
        usage: [{ inputTokens: 16, outputTokens: 30, cachedInputTokens: 4, reasoningTokens: 20 }],
      }),
      data('[DONE]'),
    ],
    whole: 4,
    usage: {
      format: 'ag-ui',
      model: 'gpt-test',
      providerId: 'run-1',
      finishReason: 'stop',
      inputTokens: 16,
      outputTokens: 30,
      cachedInputTokens: 4,
      reasoningTokens: 20,
    },
    error: data({ type: 'RUN_ERROR', message: 'overloaded', code: 'server_error' }),
  },
];
