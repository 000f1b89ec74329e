import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { openai } from '@ai-sdk/openai';
import { convertToModelMessages, streamText, type UIMessage } from 'ai';
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

const app = express();
// Before any body parser: the proxy forwards bodies as they are and has its own limit.
app.use('/v1/proxy', proxy);

// By default express.json() accepts 100 kB, which a long chat or one image exceeds.
app.post('/api/chat', requireProxy, express.json({ limit: '32mb' }), async (request, response, next) => {
  // The proxy closes the connection when the user presses Stop. This cancels the request to the model.
  const stopped = new AbortController();
  response.once('close', () => stopped.abort());
  try {
    const { messages } = request.body as { messages: UIMessage[] };
    const result = streamText({
      model: openai('gpt-4.1-mini'),
      messages: await convertToModelMessages(messages),
      abortSignal: stopped.signal,
    });
    // This promise rejects if the model fails during its answer. Unhandled, the rejection ends the process.
    await result.pipeUIMessageStreamToResponse(response, {
      onError: () => 'The model could not answer. Try again later.',
      messageMetadata({ part }) {
        // The SDK finishes an answer that ended too early with one of these reasons (AI SDK 5, 6 and 7).
        if (part.type === 'finish' && /^(unknown|other|interrupted)$/.test(part.finishReason))
          throw new Error(`The model’s answer is incomplete: ${part.finishReason}`);
      },
    });
  } catch (error) {
    next(error);
  }
});

const server = app.listen(Number(process.env.PORT ?? 3000));

// A second SIGTERM ends the process at once. In development a restart does not wait for answers.
process.once('SIGTERM', async () => {
  await proxy.close({ drainMs: isProduction ? 10_000 : 0 });
  server.close();
});
