// deno run --allow-all server.mjs
import process from 'node:process';
import { createDurableHandler } from 'durable-proxy/web';
import { Hono } from 'hono';

const handler = createDurableHandler({
  basePath: '/v1/proxy',
  jwtSecret: process.env.JWT_SECRET,
  allowlist: ['https://api.openai.com/**'],
});
const app = new Hono();
app.all('/v1/proxy/*', (context) => handler(context.req.raw));
Deno.serve({ port: 3000 }, app.fetch);

process.once('SIGTERM', async () => {
  await handler.close(); // Waits up to 10 seconds for running responses.
  process.exit();
});
