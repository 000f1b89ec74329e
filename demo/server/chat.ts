import { timingSafeEqual } from 'node:crypto';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { convertToModelMessages, streamText, type UIMessage } from 'ai';
import express, { type Router } from 'express';

export interface ChatOptions {
  /** Base URL of an OpenAI-compatible API. */
  readonly baseURL: string;
  readonly apiKey: string | undefined;
  readonly model: string;
  /** What the proxy sends along, so that nobody gets at the model without it. */
  readonly internalKey: string;
}

/** `POST /`: a chat as any app has one. It knows nothing of durability. */
export function chatRoute({ baseURL, apiKey, model, internalKey }: ChatOptions): Router {
  const provider = createOpenAICompatible({
    name: 'model',
    baseURL,
    includeUsage: true,
    ...(apiKey !== undefined && { apiKey }),
  });
  const router = express.Router();

  router.post('/', express.json({ limit: '4mb' }), async (req, res) => {
    if (!sameText(req.get('authorization') ?? '', `Bearer ${internalKey}`)) {
      res.status(401).json({ error: 'the chat is reached through the proxy only' });
      return;
    }
    const { messages } = req.body as { messages: UIMessage[] };
    const left = new AbortController();
    res.once('close', () => left.abort());
    const result = streamText({
      model: provider.chatModel(model),
      messages: await convertToModelMessages(messages),
      abortSignal: left.signal,
    });
    await result.pipeUIMessageStreamToResponse(res, {
      onError: (error) => (error instanceof Error ? error.message : 'the model failed'),
    });
  });
  return router;
}

function sameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
