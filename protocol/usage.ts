/**
 * Streaming formats of AI providers that the proxy recognizes. `openai-chat` is that of chat completions and of the many
 * APIs that copy them, `gemini` that of `streamGenerateContent?alt=sse`, `ai-sdk-ui` the UI message stream of the AI SDK.
 */
export type FormatName =
  | 'openai-chat'
  | 'openai-responses'
  | 'anthropic-messages'
  | 'gemini'
  | 'gemini-interactions'
  | 'ai-sdk-ui'
  | 'ag-ui';

/**
 * What a provider said about one answer. A field is absent if the provider has not reported it, as in an answer that
 * was cut off. Counts have the same meaning in every format.
 */
export interface Usage {
  /** Format of the response. */
  readonly format: FormatName;
  /** Name of the model, as the provider reported it. */
  readonly model?: string;
  /** Tokens of the prompt, cached ones included. */
  readonly inputTokens?: number;
  /** Tokens of the answer, reasoning included. */
  readonly outputTokens?: number;
  /** Tokens of the prompt that the provider read from its cache. Part of `inputTokens`. */
  readonly cachedInputTokens?: number;
  /** Tokens of reasoning. Part of `outputTokens`. */
  readonly reasoningTokens?: number;
  /** Why the model stopped, in the provider's own word: `stop`, `end_turn`, `MAX_TOKENS`. */
  readonly finishReason?: string;
  /** The provider's id of the answer: `resp_…`, `chatcmpl-…`, `msg_…`. */
  readonly providerId?: string;
}

/** Returns the usage that a server or a store has written, undefined if it is none. */
export function parseUsage(value: unknown): Usage | undefined {
  return value instanceof Object ? (value as Usage) : undefined;
}
