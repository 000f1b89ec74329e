import { durableProxy } from 'durable-proxy';
import express from 'express';

const isProduction = process.env.NODE_ENV === 'production';

const app = express();
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
app.use('/v1/proxy', proxy);
const server = app.listen(3000);

process.once('SIGTERM', async () => {
  await proxy.close({ drainMs: isProduction ? 10_000 : 0 });
  server.close();
});
