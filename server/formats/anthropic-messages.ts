import { anyOf, countOf, objectOf, reportedError, sumOf, textOf, type Format, type Json } from './format.ts';
import { parseData } from './sse-events.ts';

/** Types of events that are parsed. The others contain text. */
const NOTABLE: ReadonlySet<string> = new Set(['message_start', 'message_delta', 'message_stop', 'error']);
/** Finds such a type in an event without an `event` field. */
const NOTABLE_TYPE = /"type": ?"(?:message_start|message_delta|message_stop|error)"/;
/** Finds such a type in an `event` field. */
const NAMED = /event: ?(?:message_start|message_delta|message_stop|error)/;
const NOTABLE_BYTES = anyOf(NOTABLE_TYPE, NAMED);

/** Anthropic messages. */
export const anthropicMessages: Format = {
  name: 'anthropic-messages',
  begins: ({ type, message }) => type === 'message_start' && objectOf(message) !== undefined,
  cutBeginning: /^\{"type": ?"message_start"/,
  open(progress) {
    const { usage } = progress;
    let counts: Json = {};
    // Counts are cumulative, but an event may leave out those that have not changed.
    const onUsage = (reported: unknown): void => {
      const known = Object.entries(objectOf(reported) ?? {}).filter(
        ([, value]) => countOf(value) !== undefined,
      );
      counts = { ...counts, ...Object.fromEntries(known.slice(0, 32)) };
      const cached = counts['cache_read_input_tokens'];
      // Anthropic's `input_tokens` excludes tokens that were read from the cache or written to it.
      usage.inputTokens = sumOf(counts['input_tokens'], cached, counts['cache_creation_input_tokens']);
      usage.outputTokens = countOf(counts['output_tokens']);
      usage.cachedInputTokens = countOf(cached);
    };
    return {
      notable: NOTABLE_BYTES,
      take({ name, data }) {
        if (data === undefined || !(name === '' ? NOTABLE_TYPE.test(data) : NOTABLE.has(name))) return;
        const event = parseData(data);
        switch (event?.['type']) {
          case 'message_start': {
            const message = objectOf(event['message']) ?? {};
            usage.model = textOf(message['model']);
            usage.providerId = textOf(message['id']);
            return onUsage(message['usage']);
          }
          case 'message_delta':
            usage.finishReason = textOf(objectOf(event['delta'])?.['stop_reason']) ?? usage.finishReason;
            return onUsage(event['usage']);
          case 'message_stop':
            progress.isEnded = progress.isFinal = true;
            return;
          case 'error':
            progress.error = reportedError(event['error']);
            progress.isFinal = true;
        }
      },
    };
  },
};
