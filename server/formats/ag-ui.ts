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

const NOTABLE = /"type": ?"(?:RUN_|TEXT_MESSAGE_START|TOOL_CALL_START|REASONING_START)/;
const NOTABLE_BYTES = anyOf(DONE, NOTABLE);

/**
 * AG-UI. TanStack AI sends a `RUN_FINISHED` for each step of an agent, without a `RUN_STARTED` before the next one: so a
 * message, a tool call or reasoning after it continues the run, and after `tool_calls` a tool may run for minutes.
 */
export const agUi: Format = {
  name: 'ag-ui',
  begins: ({ type, runId }) => type === 'RUN_STARTED' && typeof runId === 'string',
  cutBeginning: /^\{"type": ?"RUN_STARTED"/,
  open(progress) {
    const { usage } = progress;
    const add = (
      name: 'inputTokens' | 'outputTokens' | 'cachedInputTokens' | 'reasoningTokens',
      value: unknown,
    ) => {
      const count = countOf(value);
      if (count !== undefined) usage[name] = (usage[name] ?? 0) + count;
    };
    /** Each step reports its own usage: as a list by the specification, as one object in earlier versions. */
    const onUsage = (reported: unknown): void => {
      for (const each of objectsOf(Array.isArray(reported) ? reported : [reported])) {
        usage.model = textOf(each['model']) ?? usage.model;
        add('inputTokens', each['inputTokens'] ?? each['promptTokens']);
        add('outputTokens', each['outputTokens'] ?? each['completionTokens']);
        const input = objectOf(each['promptTokensDetails']);
        const output = objectOf(each['completionTokensDetails']);
        add('cachedInputTokens', each['cachedInputTokens'] ?? input?.['cachedTokens']);
        add('reasoningTokens', each['reasoningTokens'] ?? output?.['reasoningTokens']);
      }
    };
    const onFinished = (event: Json): void => {
      const tanstack = objectOf(objectOf(event['metadata'])?.['tanstack']);
      usage.model = textOf(event['model']) ?? textOf(tanstack?.['model']) ?? usage.model;
      usage.finishReason = textOf(event['finishReason']) ?? textOf(tanstack?.['finishReason']);
      onUsage(event['usage']);
      progress.isEnded = true;
      progress.isFinal = usage.finishReason !== 'tool_calls';
    };
    return {
      notable: NOTABLE_BYTES,
      take({ data }) {
        if (data === undefined) return;
        if (data === '[DONE]') {
          progress.isFinal = progress.isEnded || progress.error !== undefined;
          return;
        }
        if (!NOTABLE.test(data)) return;
        const event = parseData(data);
        switch (event?.['type']) {
          case undefined:
            return;
          case 'RUN_FINISHED':
            return onFinished(event!);
          case 'RUN_ERROR':
            onUsage(event!['usage']);
            progress.error = reportedError(event!['error'] ?? event);
            progress.isFinal = true;
            return;
          case 'RUN_STARTED':
            usage.providerId = textOf(event!['runId']);
            usage.model ??= textOf(event!['model']);
        }
        progress.isEnded = progress.isFinal = false;
      },
    };
  },
};
