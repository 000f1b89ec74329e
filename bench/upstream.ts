import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nowMs } from './clock.ts';

/**
 * The upstream, a process of its own. The query determines what it sends: `chunks`, `gap` (milliseconds),
 * `pause` (milliseconds after the first chunk), `size` (bytes of a chunk), `gate` (a name: the chunks begin
 * when `/open?gate=` is called with it). Each chunk is an SSE event that holds its number and the time at which
 * it was written to the socket. With `format=responses` or `format=chat` the events are those of the OpenAI Responses API or of
 * a chat completion. `/page` is an empty page for a browser.
 */
const gates = new Map<string, () => void>();
/** The fields that events of a format have in addition to number, time and padding. */
const FIELDS: Readonly<Record<string, (number: number, chunks: number) => string>> = {
  responses: responsesFields,
  chat: chatFields,
};

const server = createServer((req, res) => {
  const { pathname, searchParams } = new URL(req.url ?? '/', 'http://upstream');
  const number = (name: string): number => Number(searchParams.get(name) ?? 0);
  const gate = searchParams.get('gate');
  if (pathname === '/open') {
    gates.get(gate ?? '')?.();
    gates.delete(gate ?? '');
    res.end();
    return;
  }
  if (pathname === '/page') {
    res.setHeader('content-type', 'text/html');
    res.end('<!doctype html><title>bench</title>');
    return;
  }
  const [chunks, gap, pause] = [number('chunks'), number('gap'), number('pause')];
  const padding = 'x'.repeat(Math.max(0, number('size') - 60));
  const typeOf = FIELDS[searchParams.get('format') ?? ''] ?? (() => '');
  let sent = 0;
  const send = (): void => {
    while (!res.destroyed) {
      const fields = typeOf(sent, chunks);
      const more = res.write(
        `data: {"i":${sent},"t":"${nowMs().toFixed(3)}"${fields},"pad":"${padding}"}\n\n`,
      );
      sent += 1;
      if (sent === chunks) res.end();
      else if (sent === 1 && pause > 0) setTimeout(send, pause);
      else if (gap > 0) setTimeout(send, gap);
      else if (!more) res.once('drain', send);
      else continue;
      return;
    }
  };
  req.resume().on('end', () => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    if (gate === null) return send();
    res.flushHeaders();
    gates.set(gate, send);
  });
});
function responsesFields(number: number, chunks: number): string {
  const [first, last] = [number === 0, number === chunks - 1];
  const type = first ? 'response.created' : last ? 'response.completed' : 'response.output_text.delta';
  const content = first || last ? '"response":{"id":"resp_1","status":"completed"}' : '"delta":"word"';
  return `,"type":"${type}","sequence_number":${number},${content}`;
}

function chatFields(number: number, chunks: number): string {
  const isLast = number === chunks - 1;
  const choice = { index: 0, delta: { content: 'word' }, finish_reason: isLast ? 'stop' : null };
  const usage = isLast ? { prompt_tokens: 16, completion_tokens: chunks } : null;
  const fields = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    model: 'bench',
    choices: [choice],
    usage,
  };
  return `,${JSON.stringify(fields).slice(1, -1)}`;
}

server.listen(0, '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
