import { jsonOf } from './parse-event.ts';
import { childUrl, isJsonBodyWith, pathEndsWith, PROVIDER_ID } from './provider-urls.ts';
import { lastPosition } from './repeated-events.ts';
import type { RecoverableStream, UpstreamRecovery } from './types.ts';

const ENDS: ReadonlySet<unknown> = new Set(['interaction.completed', 'interaction.complete', 'error']);

/**
 * Continues streams of the Gemini Interactions API: `POST …/interactions` with `stream: true`, unless `store` is false.
 * Events have an `event_id`, so the stream continues with `GET …/interactions/{id}?stream=true&last_event_id={id}`.
 * @see https://ai.google.dev/gemini-api/docs/interactions
 */
export function geminiInteractionsRecovery(): UpstreamRecovery {
  return {
    name: 'gemini-interactions',
    matches: ({ request }) =>
      request.method === 'POST' &&
      pathEndsWith(request.url, '/interactions') &&
      isJsonBodyWith(request.body, ['stream'], ({ stream, store }) => stream === true && store !== false),
    async resume(stream) {
      const id = await interactionId(stream);
      const position = await lastPosition(stream.events, (event) => {
        const eventId = jsonOf(event)?.['event_id'];
        return typeof eventId === 'string' && eventId !== '' ? eventId : undefined;
      });
      if (id === undefined || !position) return null;
      const query = { stream: 'true', ...(position.id !== undefined && { last_event_id: position.id }) };
      return { url: childUrl(stream.request.url, id, query), isRepeated: position.isRepeated };
    },
    async cancel(stream) {
      const id = await interactionId(stream);
      return id === undefined ? null : { url: childUrl(stream.request.url, `${id}/cancel`) };
    },
    isEnd: (event) => event.data === '[DONE]' || ENDS.has(jsonOf(event)?.['event_type']),
  };
}

async function interactionId({ events }: RecoverableStream): Promise<string | undefined> {
  for await (const event of events.fromStart()) {
    const { id } = (jsonOf(event)?.['interaction'] ?? {}) as { id?: unknown };
    // The first event is `interaction.created`. The id is validated, because the upstream chose it and it becomes
    // part of a path.
    return typeof id === 'string' && PROVIDER_ID.test(id) ? id : undefined;
  }
  return undefined;
}
