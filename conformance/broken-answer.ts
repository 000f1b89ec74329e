import type { ServerResponse } from 'node:http';
import type { TestTools } from './test-tools.ts';
import type { Upstream, UpstreamExchange } from './stand-in.ts';
import type { Stream } from './stream.ts';

/** Events of an answer: `response.created`, deltas, `response.completed`. */
export const COUNT = 6;

export interface BrokenAnswer {
  readonly upstream: Upstream;
  start(headers?: Readonly<Record<string, string>>): Promise<Stream>;
}

export interface BrokenAnswerOptions {
  /** Sends the beginning of the answer. Default: three events and a part of the fourth one, then the connection closes. */
  readonly first?: (res: ServerResponse) => void;
  /** Responds to the n-th later request (from 0) and returns true, or returns false to let the provider respond. */
  readonly next?: (exchange: UpstreamExchange, index: number) => boolean;
}

/**
 * Adds an upstream that sends an answer of the OpenAI Responses API in background mode. Its first connection breaks.
 */
export function brokenAnswer(t: TestTools, { first = breaks, next }: BrokenAnswerOptions = {}): BrokenAnswer {
  let later = 0;
  const upstream = t.upstream((exchange) => {
    const { request, res } = exchange;
    const { pathname, searchParams } = new URL(request.target, 'http://upstream');
    if (request.method === 'POST' && pathname.endsWith('/responses')) {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      return first(res);
    }
    if (next?.(exchange, (later += 1) - 1)) return;
    const after = Number(searchParams.get('starting_after') ?? -1);
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.end(events(after + 1, COUNT));
  }, '/v1/responses');
  return {
    upstream,
    start: (headers) =>
      t.start(upstream, {
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify({ background: true, stream: true }),
      }),
  };
}

function breaks(res: ServerResponse): void {
  res.write(events(0, 3) + events(3, 4).slice(0, 20), () => res.socket?.end());
}

/** Returns the events from `start` up to, but not including, `end`, with random padding. */
export function events(start: number, end: number): string {
  return Array.from({ length: end - start }, (_, i) => {
    const number = start + i;
    const ends = number === COUNT - 1;
    const type =
      number === 0 ? 'response.created' : ends ? 'response.completed' : 'response.output_text.delta';
    const response = { id: 'resp_1', status: ends ? 'completed' : 'in_progress' };
    const content = number === 0 || ends ? { response } : { delta: `${number}` };
    const obfuscation = 'x'.repeat(Math.random() * 20);
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...content, obfuscation })}\n\n`;
  }).join('');
}
