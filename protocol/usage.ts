/**
 * Streaming formats of AI providers that the proxy recognizes. `openai-chat` is the format of chat completions and of
 * the many APIs that copy them, `gemini` the format of `streamGenerateContent?alt=sse`, `ai-sdk-ui` the UI message
 * stream of the AI SDK.
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
 * What a provider reported about one answer. A field is absent if the provider has not reported it, for example
 * because the answer was cut off. Counts have the same meaning in every format.
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
  /** Why the model stopped, in the provider's own term: `stop`, `end_turn`, `MAX_TOKENS`. */
  readonly finishReason?: string;
  /** The provider's id of the answer: `resp_…`, `chatcmpl-…`, `msg_…`. */
  readonly providerId?: string;
}

/** Returns the value as usage, without checking its fields. Returns undefined if it is not an object. */
export function parseUsage(value: unknown): Usage | undefined {
  return value instanceof Object ? (value as Usage) : undefined;
}
