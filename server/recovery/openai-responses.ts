import { jsonOf } from './parse-event.ts';
import { childUrl, isJsonBodyWith, pathEndsWith, PROVIDER_ID } from './provider-urls.ts';
import type { RecoverableStream, ResumeRequest, UpstreamEvent, UpstreamRecovery } from './types.ts';

const ENDS: ReadonlySet<unknown> = new Set([
  'response.completed',
  'response.incomplete',
  'response.failed',
  'response.cancelled',
  'error',
]);
/** Statuses of a stored response that is still in progress. */
const RUNNING: ReadonlySet<unknown> = new Set(['queued', 'in_progress']);

/**
 * Continues background responses of the OpenAI Responses API: `POST …/responses` with `background: true` and
 * `stream: true`, unless `store` is false. Events are numbered, so the stream continues with
 * `GET …/responses/{id}?stream=true&starting_after={n}`.
 *
 * OpenAI rejects such a request from about five minutes after the create. The recovery then polls the stored response
 * and, once it has ended, appends its final event (`response.completed`), which contains the whole answer. The deltas
 * in between are missing.
 * @see https://platform.openai.com/docs/guides/background
 */
export function openaiResponsesRecovery(): UpstreamRecovery {
  return {
    name: 'openai-responses',
    matches: ({ request }) =>
      request.method === 'POST' &&
      pathEndsWith(request.url, '/responses') &&
      isJsonBodyWith(
        request.body,
        ['background', 'stream'],
        ({ background, stream, store }) => background === true && stream === true && store !== false,
      ),
    async resume(stream) {
      const [id, number] = [await responseId(stream), await lastNumber(stream)];
      if (id === undefined) return null;
      return resumeAfter(stream.request.url, id, number);
    },
    async cancel(stream) {
      const id = await responseId(stream);
      return id === undefined ? null : { url: childUrl(stream.request.url, `${id}/cancel`) };
    },
    isEnd: (event) => ENDS.has(jsonOf(event)?.['type']),
  };
}

function resumeAfter(url: string, id: string, number: number | undefined): ResumeRequest {
  const query = { stream: 'true', ...(number !== undefined && { starting_after: String(number) }) };
  return {
    url: childUrl(url, id, query),
    isRepeated: (event) => number !== undefined && (numberOf(event) ?? Infinity) <= number,
    refused: ({ status }) => (status === 400 ? stored(url, id, (number ?? -1) + 1) : null),
  };
}

/** Returns the request for the stored response, which is converted to the final event of its stream. */
function stored(url: string, id: string, number: number): ResumeRequest {
  return {
    url: childUrl(url, id),
    read(body) {
      const response = JSON.parse(body) as { status?: unknown };
      if (RUNNING.has(response.status)) return undefined;
      if (typeof response.status !== 'string' || !/^[a-z_]{1,40}$/.test(response.status)) {
        throw new TypeError('The stored response has no status');
      }
      const type = `response.${response.status}`;
      return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, response })}\n\n`;
    },
  };
}

async function responseId({ events }: RecoverableStream): Promise<string | undefined> {
  for await (const event of events.fromStart()) {
    const { id } = (jsonOf(event)?.['response'] ?? {}) as { id?: unknown };
    // The first event is `response.created`. The id is validated, because the upstream chose it and it becomes part
    // of a path.
    return typeof id === 'string' && PROVIDER_ID.test(id) ? id : undefined;
  }
  return undefined;
}

async function lastNumber({ events }: RecoverableStream): Promise<number | undefined> {
  for await (const event of events.fromEnd()) {
    const number = numberOf(event);
    if (number !== undefined) return number;
  }
  return undefined;
}

function numberOf(event: UpstreamEvent): number | undefined {
  const number = jsonOf(event)?.['sequence_number'];
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}
