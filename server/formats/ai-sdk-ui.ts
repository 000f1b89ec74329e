import { anyOf, DONE, textOf, type Format, type Json } from './format.ts';
import { parseData } from './sse-events.ts';

const NOTABLE = /"type": ?"(?:finish|abort|error|start)"/;
const NOTABLE_BYTES = anyOf(DONE, NOTABLE);
/** Response header that names the version of the format. Hand-written servers often omit it. */
const AI_SDK_HEADER = 'x-vercel-ai-ui-message-stream';
/** Fields of a `start` chunk. Other protocols have a `start` too, with other fields. */
const START_FIELDS: ReadonlySet<string> = new Set(['type', 'messageId', 'messageMetadata']);

const isStart = (event: Json): boolean =>
  event['type'] === 'start' && Object.keys(event).every((field) => START_FIELDS.has(field));

/** Returns true for chunks that follow a `start` in this format only. */
const isSecond = ({ type, id, data, toolCallId }: Json): boolean =>
  type === 'start-step' ||
  ((type === 'text-start' || type === 'reasoning-start') && typeof id === 'string') ||
  (type === 'tool-input-start' && typeof toolCallId === 'string') ||
  (typeof type === 'string' && type.startsWith('data-') && data !== undefined);

/**
 * UI message stream of the AI SDK. `finish` and `abort` end an answer, and `[DONE]` ends the stream. A stream that an
 * app writes by hand may have `[DONE]` alone. Only `[DONE]` is final: an app may merge several answers, each with a
 * `finish`, and the next one may take minutes to begin.
 */
export const aiSdkUi: Format = {
  name: 'ai-sdk-ui',
  begins: (event, { headers, previous }) =>
    headers[AI_SDK_HEADER] === 'v1'
      ? isStart(event)
      : previous !== undefined && isStart(previous) && isSecond(event),
  // A `start` alone is not enough.
  cutBeginning: /^(?!)/,
  open(progress) {
    return {
      notable: NOTABLE_BYTES,
      take({ data }) {
        if (data === undefined) return;
        if (data === '[DONE]') {
          progress.isEnded = progress.isFinal = true;
          return;
        }
        if (!NOTABLE.test(data)) return;
        const event = parseData(data);
        switch (event?.['type']) {
          case 'start':
            progress.isEnded = false;
            return;
          case 'finish':
            progress.usage.finishReason = textOf(event['finishReason']);
            progress.isEnded = true;
            return;
          case 'abort':
            progress.isEnded = true;
            return;
          case 'error':
            // The text of the error is chosen by the app, and may contain anything.
            progress.error = {};
        }
      },
    };
  },
};
