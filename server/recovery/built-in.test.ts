import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../shared/errors.ts';
import { geminiInteractionsRecovery } from './gemini-interactions.ts';
import { lastEventIdRecovery, type LastEventIdRecoveryOptions } from './last-event-id.ts';
import { openaiResponsesRecovery } from './openai-responses.ts';
import type { RecoverableStream, UpstreamEvent, UpstreamRecovery } from './types.ts';

const event = (data: unknown, id?: string, type = ''): UpstreamEvent => ({
  id,
  type,
  data: typeof data === 'string' ? data : JSON.stringify(data),
});

function streamOf(url: string, events: readonly UpstreamEvent[], responseHeaders = {}): RecoverableStream {
  const iterate = async function* (list: readonly UpstreamEvent[]) {
    await Promise.resolve();
    yield* list;
  };
  return {
    request: { url, method: 'POST', headers: new Headers({ authorization: 'Bearer x' }) },
    responseHeaders: new Headers(responseHeaders),
    events: { fromStart: () => iterate(events), fromEnd: () => iterate(events.toReversed()) },
  };
}

const matches = (recovery: UpstreamRecovery, url: string, body: unknown, method = 'POST') =>
  recovery.matches({
    request: { url, method, headers: new Headers(), body: Buffer.from(JSON.stringify(body)) },
    response: { status: 200, headers: new Headers() },
  });

/** The data of the events of a new response that are not dropped. */
async function kept(
  recovery: UpstreamRecovery,
  stored: readonly UpstreamEvent[],
  sent: readonly UpstreamEvent[],
) {
  const resume = await recovery.resume(streamOf('https://api.example.com/v1/responses', stored));
  const rest = [...sent];
  while (rest.length > 0 && resume!.isRepeated!(rest[0]!)) rest.shift();
  return rest.map(({ data }) => data);
}

describe('openaiResponsesRecovery', () => {
  const recovery = openaiResponsesRecovery();
  const url = 'https://api.openai.com/v1/responses?api-version=1';
  const created = event({ type: 'response.created', sequence_number: 0, response: { id: 'resp_1' } });
  const delta = (n: number) => event({ type: 'response.output_text.delta', sequence_number: n });

  it('matches background responses that are streamed and stored', () => {
    const body = { background: true, stream: true };
    expect(matches(recovery, url, body)).toBe(true);
    expect(matches(recovery, 'https://gateway.example.com/openai/v1/responses/', body)).toBe(true);
    expect(matches(recovery, url, { ...body, store: false })).toBe(false);
    expect(matches(recovery, url, { stream: true })).toBe(false);
    expect(matches(recovery, url, { background: true, stream: false })).toBe(false);
    expect(matches(recovery, 'https://api.openai.com/v1/chat/completions', body)).toBe(false);
    expect(matches(recovery, url, body, 'GET')).toBe(false);
    expect(matches(recovery, url, '"stream"')).toBe(false);
  });

  it('continues after the last sequence number, and drops events up to it', async () => {
    const stored = [created, delta(1), delta(2)];
    expect(await recovery.resume(streamOf(url, stored))).toMatchObject({
      url: 'https://api.openai.com/v1/responses/resp_1?api-version=1&stream=true&starting_after=2',
    });
    const sent = [delta(1), delta(2), delta(3)];
    expect(await kept(recovery, stored, sent)).toEqual([delta(3).data]);
    expect(await recovery.cancel!(streamOf(url, stored))).toEqual({
      url: 'https://api.openai.com/v1/responses/resp_1/cancel?api-version=1',
    });
  });

  it('has no request without an id, or with one that would change the path', async () => {
    expect(await recovery.resume(streamOf(url, []))).toBeNull();
    for (const id of ['../files', '', 7]) {
      const stored = [event({ type: 'response.created', sequence_number: 0, response: { id } })];
      expect(await recovery.resume(streamOf(url, stored))).toBeNull();
      expect(await recovery.cancel!(streamOf(url, stored))).toBeNull();
    }
  });

  it('reads the stored response after a refusal, and appends its end once it is over', async () => {
    const resume = await recovery.resume(streamOf(url, [created, delta(1)]));
    expect(resume!.refused!({ status: 404, body: '' })).toBeNull();
    const poll = resume!.refused!({ status: 400, body: 'can no longer be streamed' })!;
    expect(poll.url).toBe('https://api.openai.com/v1/responses/resp_1?api-version=1');
    expect(poll.read!('{"status":"in_progress"}')).toBeUndefined();
    expect(poll.read!('{"status":"completed","id":"resp_1"}')).toBe(
      'event: response.completed\n' +
        'data: {"type":"response.completed","sequence_number":2,"response":{"status":"completed","id":"resp_1"}}\n\n',
    );
    expect(() => poll.read!('{"status":"x\\n\\ndata: "}')).toThrow(TypeError);
  });

  it('recognizes the events that end an answer', () => {
    expect(recovery.isEnd!(event({ type: 'response.completed' }))).toBe(true);
    expect(recovery.isEnd!(event({ type: 'response.incomplete' }))).toBe(true);
    expect(recovery.isEnd!(delta(1))).toBe(false);
    expect(recovery.isEnd!(event('not JSON'))).toBe(false);
  });
});

describe('geminiInteractionsRecovery', () => {
  const recovery = geminiInteractionsRecovery();
  const url = 'https://generativelanguage.googleapis.com/v1beta/interactions?alt=sse';
  const created = event({ event_type: 'interaction.created', event_id: 'e0', interaction: { id: 'v1_x' } });
  const delta = (id: string) => event({ event_type: 'content.delta', event_id: id });

  it('matches streamed interactions that are stored', () => {
    expect(matches(recovery, url, { stream: true })).toBe(true);
    expect(matches(recovery, url, { stream: true, store: false })).toBe(false);
    expect(matches(recovery, 'https://api.openai.com/v1/responses', { stream: true })).toBe(false);
  });

  it('continues after the last event id', async () => {
    const stream = streamOf(url, [created, delta('e1/+')]);
    expect(await recovery.resume(stream)).toMatchObject({
      url: 'https://generativelanguage.googleapis.com/v1beta/interactions/v1_x?alt=sse&stream=true&last_event_id=e1%2F%2B',
    });
    expect((await recovery.cancel!(stream))?.url).toContain('/interactions/v1_x/cancel');
    expect(await recovery.resume(streamOf(url, []))).toBeNull();
    expect(recovery.isEnd!(event('[DONE]'))).toBe(true);
  });
});

describe('lastEventIdRecovery', () => {
  const match = 'https://api.example.com/**';
  const recovery = lastEventIdRecovery({ match });
  const [a, b, c, d] = [event('a', '1'), event('b', '2'), event('c'), event('d', '3')] as const;

  it('matches the URLs that its patterns cover', () => {
    expect(matches(recovery, 'https://api.example.com/chat', {})).toBe(true);
    expect(matches(recovery, 'https://example.com/chat', {})).toBe(false);
    for (const wrong of [{}, { match: [] }, { match: '*' }, { match, request: 7 }]) {
      expect(() => lastEventIdRecovery(wrong as unknown as LastEventIdRecoveryOptions)).toThrow(
        ConfigurationError,
      );
    }
  });

  it('sends the last id, also one from before the last event, in UTF-8', async () => {
    const resume = await recovery.resume(streamOf('https://api.example.com/chat', [a, event('b', 'é'), c]));
    expect(resume!.url).toBe('https://api.example.com/chat');
    const headers = new Headers(resume!.headers);
    expect(headers.get('last-event-id')).toBe('Ã©');
    expect(headers.get('authorization')).toBe('Bearer x');
  });

  it('lets the app build the request from the first response', async () => {
    const own = lastEventIdRecovery({
      match,
      request: ({ lastEventId, responseHeaders }) => ({
        url: `https://api.example.com/runs/${responseHeaders.get('x-run-id')}?after=${lastEventId}`,
      }),
    });
    const stream = streamOf('https://api.example.com/chat', [a], { 'x-run-id': 'r7' });
    expect((await own.resume(stream))?.url).toBe('https://api.example.com/runs/r7?after=1');
  });

  it.each<[string, readonly UpstreamEvent[], readonly UpstreamEvent[], string[]]>([
    ['after the position', [a, b], [c, d], ['c', 'd']],
    ['with the position', [a, b], [b, c, d], ['c', 'd']],
    ['with what has no id of its own after the position', [a, b, c], [c, d], ['d']],
    ['without a ping that was not stored by the server', [a, b, event('ping'), c], [c, d], ['d']],
    ['from the first event', [a, b, c], [a, b, c, d], ['d']],
    [
      'from the first event, with nothing but ids that repeat',
      [event('a', '1'), event('b', '1')],
      [event('a', '1'), event('b', '1'), event('c', '1')],
      ['c'],
    ],
    ['after the position, with the same id again', [a, event('b', '1')], [event('c', '1'), d], ['c', 'd']],
    ['from the first event, with no id stored', [event('x'), event('y')], [event('x'), event('y'), d], ['d']],
    ['after nothing was stored', [], [a, b], ['a', 'b']],
  ])('continues with a server that continues %s', async (_title, stored, sent, rest) => {
    expect(await kept(recovery, stored, sent)).toEqual(rest);
  });
});
