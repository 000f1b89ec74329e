import { createProxyServer } from 'durable-proxy';

const server = await createProxyServer({
  port: 4440,
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
console.log(`The proxy is at ${server.url}/v1/proxy`);

process.once('SIGTERM', () => server.stop());
