import { durableProxy } from 'durable-proxy';
import express from 'express';

const app = express();
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
app.use('/v1/proxy', proxy);
await proxy.ready; // Optional: rejects if the store cannot be opened. Without it, requests wait up to 5 seconds.
app.listen(3000);
