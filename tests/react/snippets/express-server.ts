import type { IncomingMessage } from 'node:http';
import { openai } from '@ai-sdk/openai';
import { convertToModelMessages, streamText, type UIMessage } from 'ai';
import { durableProxy } from 'durable-proxy';
import express from 'express';

declare function sessionOf(request: IncomingMessage): Promise<{ userId: string } | null>;

const app = express();

app.use(
  '/v1/proxy',
  durableProxy({
    jwtSecret: process.env.JWT_SECRET!,
    // The one address that the browser may reach through it: the chat route below.
    allowlist: ['http://localhost:3000/api/chat'],
    // Your own session; the subject scopes what a caller may find and stop.
    async authenticate(request) {
      const session = await sessionOf(request);
      return session && { subject: session.userId };
    },
    // Cookies do not go upstream. This is how the chat route knows that the proxy asks, and for whom.
    prepareUpstream({ headers, subject }) {
      headers.set('authorization', `Bearer ${process.env.CHAT_KEY}`);
      headers.set('x-user', subject ?? '');
    },
  }),
);

app.post('/api/chat', express.json(), async (request, response) => {
  if (request.headers.authorization !== `Bearer ${process.env.CHAT_KEY}`) {
    response.sendStatus(401);
    return;
  }
  const { messages } = request.body as { messages: UIMessage[] };
  const result = streamText({
    model: openai('gpt-4.1-mini'),
    messages: await convertToModelMessages(messages),
  });
  void result.pipeUIMessageStreamToResponse(response);
});

app.listen(3000);
