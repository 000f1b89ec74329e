// The proxy, a process beside Next.js. The name proxy.js would be wrong: Next.js 16 reads it as its own `proxy` file,
// which runs before each request of the app.
import { createProxyServer } from 'durable-proxy';

const {
  JWT_SECRET,
  CHAT_KEY,
  APP_URL = 'http://localhost:3000',
  PROXY_PORT = '4440',
  NODE_ENV,
} = process.env;
if (!JWT_SECRET || !CHAT_KEY) throw new Error('Set the environment variables JWT_SECRET and CHAT_KEY');

const proxy = await createProxyServer({
  port: Number(PROXY_PORT),
  jwtSecret: JWT_SECRET,
  // The only URL that a page can reach through the proxy.
  allowlist: [`${APP_URL}/api/chat`],
  cors: { origin: APP_URL },
  // The proxy does not forward cookies. This is how the chat route recognizes the proxy and the user.
  prepareUpstream({ headers, subject }) {
    headers.set('authorization', `Bearer ${CHAT_KEY}`);
    headers.set('x-user', subject ?? '');
  },
});
console.log(`Durable proxy: ${proxy.url}`);

process.once('SIGTERM', () => proxy.stop({ drainMs: NODE_ENV === 'production' ? 10_000 : 0 }));
