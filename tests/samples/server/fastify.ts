import middie from '@fastify/middie';
import { durableProxy } from 'durable-proxy';
import { fastify } from 'fastify';

const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
const app = fastify();
await app.register(middie);
app.use('/v1/proxy', proxy);
await app.listen({ port: 3000 });

process.once('SIGTERM', async () => {
  await proxy.close(); // Waits up to 10 seconds for running responses.
  process.exit();
});
