import type { UIMessage } from 'ai';

/** What an answer has cost, sent with its end. */
export interface AnswerMetadata {
  readonly model: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** US dollars; undefined if the price of the model is not known. */
  readonly usd: number | undefined;
  readonly durationMs: number;
}

/** Input and output of the demo's tool. */
export interface BookTable {
  input: { place: string; people: number; time: string };
  output: { confirmation: string };
}

/** A message of the demo, on the page and in the agent. */
export type DemoMessage = UIMessage<AnswerMetadata, Record<string, never>, { bookTable: BookTable }>;
