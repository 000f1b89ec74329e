import {
  anyOf,
  countOf,
  DONE,
  objectOf,
  objectsOf,
  reportedError,
  textOf,
  type Format,
  type Json,
} from './format.ts';
import { parseData } from './sse-events.ts';

/** Maximum number of choices of one answer that are tracked. OpenAI allows 128. */
const MAX_CHOICES = 128;

/** Chunks at the beginning that are searched for the model's name. */
const MAX_UNNAMED = 4;

/**
 * Matches chunks that are not plain deltas: an end, an error, or a choice (also a tool call) after the first one.
 * Quotation marks inside JSON strings are escaped, so a text with these words does not match.
 */
const NOTABLE = /"(?:finish_reason": ?"|error": ?["{]|index": ?[1-9])/;
/** Some implementations of the format send the usage so far with every chunk. Only the last one is parsed. */
const USAGE = /"usage": ?\{/;
const NOTABLE_BYTES = anyOf(DONE, NOTABLE, USAGE);

/**
 * OpenAI chat completions. An answer has ended when each of its choices has a `finish_reason`, or at `[DONE]`. Other
 * implementations of the format omit one of them, but not both.
 */
export const openaiChat: Format = {
  name: 'openai-chat',
  begins: ({ object, choices }) =>
    object === 'chat.completion.chunk' ||
    objectsOf(choices).some(({ delta }) => objectOf(delta) !== undefined),
  cutBeginning: /^\{"[^{]*"object": ?"chat\.completion\.chunk"/,
  open(progress) {
    const { usage } = progress;
    const finished = new Map<number, boolean>();
    let unnamed = MAX_UNNAMED;
    let lastUsage: string | undefined;

    const onUsage = (reported: Json): void => {
      usage.inputTokens = countOf(reported['prompt_tokens']);
      usage.outputTokens = countOf(reported['completion_tokens']);
      usage.cachedInputTokens = countOf(objectOf(reported['prompt_tokens_details'])?.['cached_tokens']);
      usage.reasoningTokens = countOf(objectOf(reported['completion_tokens_details'])?.['reasoning_tokens']);
    };
    const onChoice = ({ index, finish_reason }: Json): void => {
      const place = countOf(index) ?? 0;
      const reason = textOf(finish_reason);
      if (reason !== undefined) usage.finishReason = reason;
      if (finished.has(place) || finished.size < MAX_CHOICES) {
        finished.set(place, finished.get(place) === true || reason !== undefined);
      }
    };
    const onChunk = (chunk: Json): void => {
      usage.model ??= textOf(chunk['model']);
      usage.providerId ??= textOf(chunk['id']);
      for (const choice of objectsOf(chunk['choices'])) onChoice(choice);
      if (chunk['error'] != null) progress.error = reportedError(chunk['error']);
      if (finished.size > 0) progress.isEnded = ![...finished.values()].includes(false);
      progress.isFinal = progress.isEnded || progress.error !== undefined;
    };

    return {
      get notable() {
        return unnamed === 0 ? NOTABLE_BYTES : undefined;
      },
      take({ data }) {
        if (data === undefined) return;
        if (data === '[DONE]') {
          progress.isEnded = progress.isFinal = true;
          return;
        }
        if (USAGE.test(data)) lastUsage = data;
        if (unnamed === 0 && !NOTABLE.test(data)) return;
        const chunk = parseData(data);
        if (!chunk) return;
        onChunk(chunk);
        unnamed = usage.model === undefined ? Math.max(0, unnamed - 1) : 0;
      },
      parseDeferred() {
        const reported = lastUsage === undefined ? undefined : objectOf(parseData(lastUsage)?.['usage']);
        lastUsage = undefined;
        if (reported) onUsage(reported);
      },
    };
  },
};
