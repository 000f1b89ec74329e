// app/routes/v1.proxy.$.ts
import { createDurableHandler } from 'durable-proxy/web';

const handler = createDurableHandler({
  basePath: '/v1/proxy',
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});

export const loader = ({ request }: { request: Request }) => handler(request);
export const action = ({ request }: { request: Request }) => handler(request);
