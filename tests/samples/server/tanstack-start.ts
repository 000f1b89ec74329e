// src/routes/v1/proxy/$.ts
import { createFileRoute } from '@tanstack/react-router';
import { createDurableHandler } from 'durable-proxy/web';

const handler = createDurableHandler({
  basePath: '/v1/proxy',
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});

export const Route = createFileRoute('/v1/proxy/$')({
  server: { handlers: { ANY: ({ request }) => handler(request) } },
});
