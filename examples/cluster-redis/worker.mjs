import cluster from 'node:cluster';
import { createProxyServer } from 'durable-proxy';
import { redisStore } from 'durable-proxy/redis';

const {
  JWT_SECRET,
  REDIS_URL = 'redis://localhost:6379',
  PORT = '4440',
  ALLOW = 'https://api.openai.com/**',
} = process.env;

/** Longest time in milliseconds that a worker waits for its running answers. */
const DRAIN_MS = 120_000;

export async function runWorker() {
  if (!JWT_SECRET) throw new Error('Set the environment variable JWT_SECRET');
  const store = redisStore({ url: REDIS_URL });
  const server = await createProxyServer({
    port: Number(PORT),
    host: '0.0.0.0',
    jwtSecret: JWT_SECRET,
    allowlist: ALLOW.split(','),
    store,
  });
  process.once('SIGTERM', async () => {
    // Accepts no new connections: the other workers get them. Connections that are open get 503 for a new answer, and the
    // client sends it again.
    cluster.worker.disconnect();
    await server.stop({ drainMs: DRAIN_MS });
    await store.dispose();
    process.exit();
  });
}
