import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  chat,
  chatParamsFromRequestBody,
  EventType,
  toServerSentEventsStream,
  type StreamChunk,
} from '@tanstack/ai';
import { openaiText } from '@tanstack/ai-openai';
import { durableProxy } from 'durable-proxy';
import express, { type NextFunction, type Request, type Response } from 'express';

// Create each secret with: openssl rand -base64 32
const { JWT_SECRET, CHAT_KEY, APP_URL = 'http://localhost:5173', NODE_ENV } = process.env;
if (!JWT_SECRET || !CHAT_KEY) throw new Error('Set the environment variables JWT_SECRET and CHAT_KEY');
const isProduction = NODE_ENV === 'production';

/** Replace this with your session. It returns null if nobody is signed in. */
async function userOf(_request: IncomingMessage): Promise<{ id: string } | null> {
  return isProduction ? null : { id: 'developer' };
}

const proxy = durableProxy({
  jwtSecret: JWT_SECRET,
  // The only URL that a page can reach through the proxy: the chat route, at the page's own address.
  allowlist: [`${APP_URL}/api/chat`],
  async authenticate(request) {
    const user = await userOf(request);
    return user && { subject: user.id };
  },
  // The proxy does not forward cookies. This is how the chat route recognizes the proxy and the user.
  prepareUpstream({ headers, subject }) {
    headers.set('authorization', `Bearer ${CHAT_KEY}`);
    headers.set('x-user', subject ?? '');
  },
});

function requireProxy(request: Request, response: Response, next: NextFunction): void {
  const expected = Buffer.from(`Bearer ${CHAT_KEY}`);
  const received = Buffer.from(request.headers.authorization ?? '');
  if (received.length === expected.length && timingSafeEqual(received, expected)) next();
  else response.sendStatus(401);
}

/** TanStack AI finishes an answer that ended too early like a whole one, but without `usage`. */
async function* requireWhole(events: AsyncIterable<StreamChunk>): AsyncIterable<StreamChunk> {
  for await (const event of events) {
    if (event.type === EventType.RUN_FINISHED && !event.usage)
      throw new Error('The model’s answer is incomplete. Try again later.');
    yield event;
  }
}

const app = express();
// Before any body parser: the proxy forwards bodies as they are and has its own limit.
app.use('/v1/proxy', proxy);

// By default express.json() accepts 100 kB, which a long chat or one image exceeds.
app.post('/api/chat', requireProxy, express.json({ limit: '32mb' }), async (request, response) => {
  // The proxy closes the connection when the user presses Stop. This cancels the request to the model.
  const abortController = new AbortController();
  response.once('close', () => abortController.abort());
  const { messages, threadId, runId } = await chatParamsFromRequestBody(request.body);
  const events = chat({ adapter: openaiText('gpt-4.1-mini'), messages, threadId, runId, abortController });
  response.type('text/event-stream');
  try {
    await pipeline(Readable.from(toServerSentEventsStream(requireWhole(events), abortController)), response);
  } catch (error) {
    // The response is closed, so the page reports an incomplete answer.
    if (!abortController.signal.aborted) console.error(error);
  }
});

const server = app.listen(Number(process.env.PORT ?? 3000));

// A second SIGTERM ends the process at once. In development a restart does not wait for answers.
process.once('SIGTERM', async () => {
  await proxy.close({ drainMs: isProduction ? 10_000 : 0 });
  server.close();
});
