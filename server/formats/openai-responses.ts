import { anyOf, countOf, objectOf, reportedError, textOf, type Format, type Json } from './format.ts';
import { parseData } from './sse-events.ts';

/** Types of the events that end an answer. `response.incomplete` means that a limit was reached. */
const ENDS: ReadonlySet<string> = new Set(['response.completed', 'response.incomplete']);
const FAILURES: ReadonlySet<string> = new Set(['response.failed', 'error']);

/** Finds such a type in an event without an `event` field. */
const NOTABLE = /"type": ?"(?:response\.(?:created|completed|incomplete|failed)|error)"/;
/** Finds such a type in an `event` field. */
const NAMED = /event: ?(?:response\.(?:created|completed|incomplete|failed)|error)/;
const NOTABLE_BYTES = anyOf(NOTABLE, NAMED);

/** OpenAI Responses. */
export const openaiResponses: Format = {
  name: 'openai-responses',
  begins: ({ type, response }) => type === 'response.created' && objectOf(response) !== undefined,
  cutBeginning: /^\{"type": ?"response\.created"/,
  open(progress) {
    const { usage } = progress;
    const onResponse = (response: Json): void => {
      usage.model = textOf(response['model']) ?? usage.model;
      usage.providerId = textOf(response['id']) ?? usage.providerId;
      const reported = objectOf(response['usage']);
      if (!reported) return;
      usage.inputTokens = countOf(reported['input_tokens']);
      usage.outputTokens = countOf(reported['output_tokens']);
      usage.cachedInputTokens = countOf(objectOf(reported['input_tokens_details'])?.['cached_tokens']);
      usage.reasoningTokens = countOf(objectOf(reported['output_tokens_details'])?.['reasoning_tokens']);
    };
    return {
      notable: NOTABLE_BYTES,
      take({ name, data }) {
        if (data === undefined) {
          // Too long to be parsed, such as an answer with images. The `event` field still contains its type.
          if (ENDS.has(name)) progress.isEnded = progress.isFinal = true;
          return;
        }
        const isNotable =
          name === ''
            ? NOTABLE.test(data)
            : name === 'response.created' || ENDS.has(name) || FAILURES.has(name);
        if (!isNotable) return;
        const event = parseData(data);
        const type = textOf(event?.['type']);
        if (event === undefined || type === undefined) return;
        const response = objectOf(event['response']) ?? {};
        onResponse(response);
        if (ENDS.has(type)) {
          progress.isEnded = progress.isFinal = true;
          usage.finishReason =
            textOf(objectOf(response['incomplete_details'])?.['reason']) ?? textOf(response['status']);
        } else if (FAILURES.has(type)) {
          progress.error = reportedError(response['error'] ?? event['error'] ?? { code: event['code'] });
          progress.isFinal = true;
        }
      },
    };
  },
};
