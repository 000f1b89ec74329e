import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import express, { type Response, type Router } from 'express';
import { hashText, seededRandom } from './random.ts';
import { lastUserText, replyTo, type Reply } from './replies.ts';

/** One call of the model. Changes while it runs. */
export interface ModelCall {
  readonly prompt: string;
  /** Pieces sent so far, reasoning included. */
  sent: number;
  /** `cut`: the caller left before the end, which is what a Stop looks like from here. */
  state: 'running' | 'done' | 'cut';
}

export interface ScriptedModelOptions {
  /**
   * Seed of the pace. Does not change the text.
   * @default 1
   */
  seed?: number;
  /** Returns the answer to a prompt. Default: one of the demo's answers. */
  answer?: (prompt: string) => Reply;
  /**
   * Waits before each piece; `signal` aborts when the caller has left. Default: gaps like those of a model,
   * about 30 a second with bursts and pauses, and a long one between reasoning and answer.
   */
  pace?: (piece: Piece, signal: AbortSignal) => Promise<void>;
  /** Called when a call begins, and when it ends. */
  onCall?: (call: ModelCall) => void;
}

export interface Piece {
  readonly kind: 'reasoning' | 'text';
  /** Counted from 0 within its kind. */
  readonly index: number;
  readonly text: string;
}

export interface ScriptedModel {
  /** Answers `POST /chat/completions` as OpenAI's API does, streaming only. */
  readonly router: Router;
  readonly calls: readonly ModelCall[];
}

/** Creates a model with fixed answers, so that a demo needs no key and a test can check what arrives. */
export function createScriptedModel(options: ScriptedModelOptions = {}): ScriptedModel {
  const calls: ModelCall[] = [];
  const router = express.Router();
  router.post('/chat/completions', express.json({ limit: '8mb' }), async (req, res) => {
    const { model, stream, messages } = (req.body ?? {}) as Readonly<Record<string, unknown>>;
    if (stream !== true || !Array.isArray(messages)) {
      res.status(400).json({ error: { message: 'this model takes { messages, stream: true }' } });
      return;
    }
    const prompt = lastUserText(messages);
    const call: ModelCall = { prompt, sent: 0, state: 'running' };
    calls.push(call);
    options.onCall?.(call);
    call.state = await streamAnswer(res, call, { messages, model: String(model) }, options);
    options.onCall?.(call);
  });
  return { router, calls };
}

async function streamAnswer(
  res: Response,
  call: ModelCall,
  { messages, model }: { readonly messages: readonly unknown[]; readonly model: string },
  options: ScriptedModelOptions,
): Promise<'done' | 'cut'> {
  const number = hashText(call.prompt) + (options.seed ?? 1);
  const reply = options.answer?.(call.prompt) ?? replyTo(messages, call.prompt, number);
  const random = seededRandom(number);
  const pieces: Piece[] = (['reasoning', 'text'] as const).flatMap((kind) =>
    cut(reply[kind], random).map((text, index) => ({ kind, index, text })),
  );
  const pace = options.pace ?? naturalPace(random);

  const gone = new AbortController();
  res.once('close', () => gone.abort());
  const id = `chatcmpl-scripted-${number.toString(36)}`;
  const send = (fields: object): boolean =>
    res.write(
      `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created: 1767225600, model, ...fields })}\n\n`,
    );
  const choice = (delta: object, finish_reason: string | null = null) => ({
    choices: [{ index: 0, delta, finish_reason }],
  });

  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
  send(choice({ role: 'assistant', content: '' }));
  try {
    for (const piece of pieces) {
      await pace(piece, gone.signal);
      gone.signal.throwIfAborted();
      const field = piece.kind === 'reasoning' ? 'reasoning_content' : 'content';
      const roomLeft = send(choice({ [field]: piece.text }));
      call.sent += 1;
      if (!roomLeft) await once(res, 'drain', { signal: gone.signal });
    }
  } catch (error) {
    if (gone.signal.aborted) return 'cut';
    throw error;
  }
  const { tool } = reply;
  if (tool) {
    const called = { name: tool.name, arguments: JSON.stringify(tool.input) };
    send(
      choice({
        tool_calls: [{ index: 0, id: `call-${number.toString(36)}`, type: 'function', function: called }],
      }),
    );
  }
  const prompt_tokens = Math.ceil(call.prompt.length / 4);
  send({
    ...choice({}, tool ? 'tool_calls' : 'stop'),
    usage: {
      prompt_tokens,
      completion_tokens: pieces.length,
      total_tokens: prompt_tokens + pieces.length,
    },
  });
  res.end('data: [DONE]\n\n');
  return 'done';
}

/** Cuts a text about where a tokenizer would: words in parts, each CJK letter and emoji by itself. */
function cut(text: string, random: () => number): string[] {
  const units = text.match(/\s*(?:\p{Script=Latin}+|\p{N}+|[^\p{Script=Latin}\p{N}\s])|\s+/gu) ?? [];
  return units.flatMap((unit) => {
    if (unit.length < 8 || random() < 0.5) return [unit];
    const middle = 3 + Math.floor(random() * (unit.length - 6));
    return [unit.slice(0, middle), unit.slice(middle)];
  });
}

function naturalPace(random: () => number): NonNullable<ScriptedModelOptions['pace']> {
  return async ({ index, kind, text }, signal) => {
    let ms = kind === 'reasoning' ? 12 + random() * 20 : 14 + random() * 34;
    if (random() < 0.12) ms = 0;
    if (random() < 0.02) ms += 250;
    if (/[.!?]$/.test(text)) ms += 60;
    if (index === 0) ms = kind === 'reasoning' ? 350 : 1400;
    if (ms > 0) await delay(ms, undefined, { signal });
  };
}
