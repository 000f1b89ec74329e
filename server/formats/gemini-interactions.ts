import { countOf, objectOf, reportedError, sumOf, textOf, type Format, type Json } from './format.ts';
import { parseData } from './sse-events.ts';

/** The second name in each set is from the first versions of the API. */
const STARTS: ReadonlySet<unknown> = new Set(['interaction.created', 'interaction.start']);
const ENDS: ReadonlySet<unknown> = new Set(['interaction.completed', 'interaction.complete']);

const NOTABLE = /"event_type": ?"(?:interaction\.|error")/;

/** Gemini Interactions. */
export const geminiInteractions: Format = {
  name: 'gemini-interactions',
  begins: ({ event_type, interaction }) => STARTS.has(event_type) && objectOf(interaction) !== undefined,
  cutBeginning: /^\{(?:"[^{]*)?"event_type": ?"interaction\.(?:created|start)"/,
  open(progress) {
    const { usage } = progress;
    const onInteraction = (interaction: Json): void => {
      usage.model = textOf(interaction['model']) ?? textOf(interaction['agent']) ?? usage.model;
      usage.providerId = textOf(interaction['id']) ?? usage.providerId;
      const reported = objectOf(interaction['usage']);
      if (!reported) return;
      const thoughts = reported['total_thought_tokens'] ?? reported['total_reasoning_tokens'];
      usage.inputTokens = sumOf(reported['total_input_tokens'], reported['total_tool_use_tokens']);
      usage.outputTokens = sumOf(reported['total_output_tokens'], thoughts);
      usage.cachedInputTokens = countOf(reported['total_cached_tokens']);
      usage.reasoningTokens = countOf(thoughts);
    };
    return {
      notable: NOTABLE,
      take({ data }) {
        // `[DONE]` follows `interaction.completed` and adds no information.
        if (data === undefined || !NOTABLE.test(data)) return;
        const event = parseData(data);
        if (!event) return;
        const interaction = objectOf(event['interaction']) ?? {};
        onInteraction(interaction);
        if (event['event_type'] === 'error') {
          progress.error = reportedError(event['error']);
          progress.isFinal = true;
        } else if (ENDS.has(event['event_type'])) {
          usage.finishReason = textOf(interaction['status']);
          if (usage.finishReason === 'failed') progress.error = reportedError(interaction['error']);
          progress.isEnded = progress.isFinal = true;
        }
      },
    };
  },
};
