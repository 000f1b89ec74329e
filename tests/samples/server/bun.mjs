import { createDurableHandler } from 'durable-proxy/web';
import { Hono } from 'hono';

const handler = createDurableHandler({
  basePath: '/v1/proxy',
  jwtSecret: process.env.JWT_SECRET,
  allowlist: ['https://api.openai.com/**'],
});
const app = new Hono();
app.all('/v1/proxy/*', (context) => handler(context.req.raw));

// By default Bun closes a connection after 10 seconds without a byte. A live read sends a comment every 15 seconds.
const server = Bun.serve({ port: 3000, idleTimeout: 60, fetch: app.fetch });
console.log(`Listening on ${server.url}`);

process.once('SIGTERM', async () => {
  await handler.close(); // Waits up to 10 seconds for running responses.
  process.exit();
});
