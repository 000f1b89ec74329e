// src/routes/v1/proxy/[...path]/+server.ts
import { createDurableHandler } from 'durable-proxy/web';

const handler = createDurableHandler({
  basePath: '/v1/proxy',
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});

/** SvelteKit calls `fallback` for every method. */
export const fallback = ({ request }: { request: Request }) => handler(request);
