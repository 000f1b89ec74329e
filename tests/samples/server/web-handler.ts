import { serve } from '@hono/node-server';
import { createDurableHandler } from 'durable-proxy/web';
import { Hono } from 'hono';

const handler = createDurableHandler({
  basePath: '/v1/proxy',
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
const app = new Hono();
app.all('/v1/proxy/*', (context) => handler(context.req.raw));
serve({ fetch: app.fetch, port: 3000 });

process.once('SIGTERM', async () => {
  await handler.close(); // Waits up to 10 seconds for running responses.
  process.exit();
});
