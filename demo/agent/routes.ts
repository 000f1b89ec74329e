import { timingSafeEqual } from 'node:crypto';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { convertToModelMessages, stepCountIs, streamText } from 'ai';
import express, { type Router } from 'express';
import type { DemoMessage } from './messages.ts';
import { costOf } from './prices.ts';
import { Runs, type Run } from './runs.ts';
import { tools } from './tools.ts';

const FAILURE = 'The model failed, because you asked it to.';

export interface AgentOptions {
  /** Base URL of an OpenAI-compatible API. */
  readonly baseURL: string;
  readonly apiKey: string | undefined;
  readonly model: string;
  /** Secret that the proxy sends as `Authorization: Bearer`. */
  readonly key: string;
  /** Kills this process. */
  readonly crash: () => void;
}

/**
 * A chat route whose answers can be continued: it numbers its events, and an answer continues when its connection breaks.
 * `POST /chat` starts a run, `GET /chat/:run` continues it after `Last-Event-ID`, and `DELETE /chat/:run` stops it.
 */
export function agentRoutes({ baseURL, apiKey, model, key, crash }: AgentOptions): Router {
  const provider = createOpenAICompatible({
    name: 'model',
    baseURL,
    includeUsage: true,
    ...(apiKey !== undefined && { apiKey }),
  });
  const runs = new Runs();
  /** True if the next run is to fail, because none was running when the button was clicked. */
  let failNext = false;
  const router = express.Router();
  router.use((req, res, next) => {
    if (sameText(req.get('authorization') ?? '', `Bearer ${key}`)) next();
    else res.status(401).json({ error: 'Call the agent through the proxy.' });
  });

  // For the button that kills this process.
  router.post('/crash', (_req, res) => {
    res.once('finish', crash);
    res.status(202).end();
  });

  // For the button that makes the model fail: the runs in progress, or else the next one.
  router.post('/fail', (_req, res) => {
    failNext = runs.fail(FAILURE) === 0;
    res.status(202).end();
  });

  router.post('/chat', express.json({ limit: '8mb' }), async (req, res) => {
    const { messages } = req.body as { messages: DemoMessage[] };
    const prompt = await convertToModelMessages(messages, { tools });
    const run = runs.create();
    run.follow(res, 0);
    if (failNext) {
      failNext = false;
      return run.fail(FAILURE);
    }
    const beganAt = Date.now();
    const result = streamText({
      model: provider.chatModel(model),
      messages: prompt,
      tools,
      stopWhen: stepCountIs(3),
      abortSignal: run.signal,
    });
    await pipe(
      result.toUIMessageStreamResponse<DemoMessage>({
        originalMessages: messages,
        messageMetadata: ({ part }) => {
          if (part.type !== 'finish') return undefined;
          const { inputTokens = 0, outputTokens = 0 } = part.totalUsage;
          const usd = costOf(model, inputTokens, outputTokens);
          return { model, inputTokens, outputTokens, usd, durationMs: Date.now() - beganAt };
        },
        onError: (error) => (error instanceof Error ? error.message : 'The model failed.'),
      }),
      run,
    );
  });

  router
    .route('/chat/:run')
    .all((req, res, next) => {
      if (runs.get(req.params.run)) next();
      else res.status(404).json({ error: 'The run does not exist or has expired.' });
    })
    .get((req, res) => {
      runs.get(req.params.run)?.follow(res, Number(req.get('last-event-id') ?? 0));
    })
    .delete((req, res) => {
      runs.get(req.params.run)?.stop();
      res.status(204).end();
    });
  return router;
}

/** Copies the events of a response to a run. The SDK writes each event as one `data` line and a blank line. */
async function pipe(response: Response, run: Run): Promise<void> {
  let rest = '';
  const text = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let next = await text.read(); !next.done; next = await text.read()) {
    const events = (rest + next.value).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) run.push(event);
  }
  run.end();
}

function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
