import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * How the stand-in model answers: with an answer (`ok`), with an HTTP error, with half an answer after which it
 * resets the connection (`breaks`) or ends the response (`short`), or with half an answer after which it waits for
 * `finish()` (`slow`), or not at all (`silent`).
 */
export type Behavior = 'ok' | 401 | 429 | 500 | 'breaks' | 'short' | 'slow' | 'silent';

export const FIRST_HALF = 'Drops of water';
export const ANSWER = 'Drops of water hold together by surface tension.';

/** One request that the model received. */
export interface ModelCall {
  readonly path: string | undefined;
  readonly authorization: string | undefined;
  readonly body: unknown;
  /** The body, exactly as it arrived. */
  readonly text: string;
  /** Resolves with `true` if the model ended the response, with `false` if the caller closed the connection. */
  readonly closed: Promise<boolean>;
}

export interface StandInModel {
  /** Base URL for `OPENAI_BASE_URL`. */
  readonly url: string;
  readonly calls: readonly ModelCall[];
  behavior: Behavior;
  /** Resolves with the call of this number, counted from 0. */
  call(index: number): Promise<ModelCall>;
  /** Completes the answers that are waiting since `slow`. */
  finish(): void;
  /** Resets the connections of the answers that are waiting since `slow`. */
  cut(): void;
  /** Removes the recorded calls and returns to `ok`. */
  reset(): void;
  close(): Promise<void>;
}

/** Starts a server that speaks OpenAI's streaming APIs (Responses and Chat Completions), AG-UI and plain text. */
export async function startModel(): Promise<StandInModel> {
  const calls: ModelCall[] = [];
  const events = new EventEmitter().setMaxListeners(0);
  const server = createServer((request, response) => {
    void readBody(request).then((text) => {
      const closed = once(response, 'close').then(() => response.writableFinished);
      calls.push({
        path: request.url,
        authorization: request.headers.authorization,
        body: parse(text),
        text,
        closed,
      });
      events.emit('call');
      void answer(request.url, text, response);
    });
  });

  async function answer(path: string | undefined, body: string, response: ServerResponse): Promise<void> {
    const { behavior } = model;
    if (behavior === 'silent') return;
    if (typeof behavior === 'number') {
      // Without `retry-after-ms`, SDKs wait for seconds before they try again.
      response.writeHead(behavior, { 'content-type': 'application/json', 'retry-after-ms': '1' });
      response.end(JSON.stringify({ error: { message: `The stand-in model says ${behavior}.` } }));
      return;
    }
    const format = formatOf(path, body);
    response.writeHead(200, { 'content-type': format.contentType });
    response.write(format.begin() + format.delta(FIRST_HALF));
    if (behavior === 'slow') {
      events.once('cut', () => response.destroy());
      await Promise.race([once(events, 'finish'), once(response, 'close')]);
    }
    if (behavior === 'breaks') {
      // The first half has to leave before the reset.
      setTimeout(() => response.destroy(), 50);
    } else if (behavior === 'short') response.end();
    else response.end(format.delta(ANSWER.slice(FIRST_HALF.length)) + format.end());
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const model: StandInModel = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    behavior: 'ok',
    async call(index) {
      for (;;) {
        const call = calls[index];
        if (call !== undefined) return call;
        await once(events, 'call');
      }
    },
    finish: () => void events.emit('finish'),
    cut: () => void events.emit('cut'),
    reset() {
      calls.length = 0;
      model.behavior = 'ok';
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return model;
}

interface Format {
  readonly contentType: string;
  begin(): string;
  delta(text: string): string;
  end(): string;
}

const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

const RESPONSES: Format = {
  contentType: 'text/event-stream',
  begin: () =>
    event({ type: 'response.created', response: { id: 'resp_1', created_at: 1, model: 'stand-in' } }) +
    event({
      type: 'response.output_item.added',
      output_index: 0,
      item: { type: 'message', id: 'msg_1' },
    }),
  delta: (text) => event({ type: 'response.output_text.delta', item_id: 'msg_1', delta: text }),
  end: () =>
    event({ type: 'response.output_item.done', output_index: 0, item: { type: 'message', id: 'msg_1' } }) +
    event({ type: 'response.completed', response: { usage: { input_tokens: 1, output_tokens: 1 } } }),
};

const choice = (delta: object, finish_reason: string | null = null): string =>
  event({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'stand-in',
    choices: [{ index: 0, delta, finish_reason }],
  });

const CHAT_COMPLETIONS: Format = {
  contentType: 'text/event-stream',
  begin: () => choice({ role: 'assistant', content: '' }),
  delta: (text) => choice({ content: text }),
  end: () => choice({}, 'stop') + 'data: [DONE]\n\n',
};

const TEXT: Format = {
  contentType: 'text/plain; charset=utf-8',
  begin: () => '',
  delta: (text) => text,
  end: () => '',
};

/** AG-UI, which TanStack AI speaks, in answer to the body of a run. */
function agUi({ threadId, runId }: { threadId: string; runId: string }): Format {
  const messageId = `message-of-${runId}`;
  return {
    contentType: 'text/event-stream',
    begin: () =>
      event({ type: 'RUN_STARTED', threadId, runId }) +
      event({ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant' }),
    delta: (text) => event({ type: 'TEXT_MESSAGE_CONTENT', messageId, delta: text }),
    end: () =>
      event({ type: 'TEXT_MESSAGE_END', messageId }) + event({ type: 'RUN_FINISHED', threadId, runId }),
  };
}

function formatOf(path: string | undefined, body: string): Format {
  if (path?.endsWith('/run')) return agUi(JSON.parse(body) as { threadId: string; runId: string });
  if (path?.endsWith('/responses')) return RESPONSES;
  return path?.endsWith('/chat/completions') ? CHAT_COMPLETIONS : TEXT;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
