import {
  anyOf,
  countOf,
  objectOf,
  objectsOf,
  reportedError,
  sumOf,
  textOf,
  type Format,
  type Json,
} from './format.ts';
import { parseData } from './sse-events.ts';

/** Maximum number of candidates of one answer that are tracked. */
const MAX_CANDIDATES = 128;

/** Matches events other than plain text: an end, an error, a blocked prompt, another candidate. */
const NOTABLE = /"(?:finishReason|error|promptFeedback|index": ?[1-9])/;
const USAGE = /"usageMetadata"/;
const NOTABLE_BYTES = anyOf(NOTABLE, USAGE);

/** Gemini `streamGenerateContent?alt=sse`. It has no end marker: the last event of each candidate has `finishReason`. */
export const gemini: Format = {
  name: 'gemini',
  begins: ({ candidates, promptFeedback, modelVersion, usageMetadata }) =>
    objectsOf(candidates).some(({ content, finishReason }) => objectOf(content) ?? textOf(finishReason)) ||
    (objectOf(promptFeedback) !== undefined && (modelVersion ?? usageMetadata) !== undefined),
  cutBeginning: /^\{\s*"candidates": ?\[\s*\{\s*"content": ?\{/,
  open(progress) {
    const { usage } = progress;
    const finished = new Map<number, boolean>();
    let isFirst = true;
    let last: string | undefined;

    const onUsage = (reported: Json): void => {
      const thoughts = reported['thoughtsTokenCount'];
      usage.inputTokens = sumOf(reported['promptTokenCount'], reported['toolUsePromptTokenCount']);
      usage.outputTokens = sumOf(
        reported['candidatesTokenCount'] ?? (thoughts === undefined ? thoughts : 0),
        thoughts,
      );
      usage.cachedInputTokens = countOf(reported['cachedContentTokenCount']);
      usage.reasoningTokens = countOf(thoughts);
    };
    const onEvent = (event: Json): void => {
      usage.model ??= textOf(event['modelVersion']);
      usage.providerId ??= textOf(event['responseId']);
      for (const candidate of objectsOf(event['candidates'])) {
        const place = countOf(candidate['index']) ?? 0;
        const reason = textOf(candidate['finishReason']);
        if (reason !== undefined) usage.finishReason = reason;
        if (finished.has(place) || finished.size < MAX_CANDIDATES) finished.set(place, reason !== undefined);
      }
      const blocked = textOf(objectOf(event['promptFeedback'])?.['blockReason']);
      if (event['error'] != null) progress.error = reportedError(event['error']);
      else if (blocked !== undefined) progress.error = reportedError({ code: blocked });
      if (finished.size > 0) progress.isEnded = ![...finished.values()].includes(false);
      progress.isFinal = progress.isEnded || progress.error !== undefined;
    };

    return {
      get notable() {
        return isFirst || progress.isEnded ? undefined : NOTABLE_BYTES;
      },
      take({ data }) {
        if (data === undefined) return;
        // Every event contains the counts so far; only the last counts are parsed.
        if (USAGE.test(data)) last = data;
        // Text after a `finishReason` of the same candidate reopens it.
        if (!isFirst && !progress.isEnded && !NOTABLE.test(data)) return;
        isFirst = false;
        const event = parseData(data);
        if (event) onEvent(event);
      },
      parseDeferred() {
        const reported = last === undefined ? undefined : objectOf(parseData(last)?.['usageMetadata']);
        last = undefined;
        if (reported) onUsage(reported);
      },
    };
  },
};
