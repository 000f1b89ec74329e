import { durableProxy } from 'durable-proxy';
import express from 'express';

const app = express();
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
  unreadTimeoutMs: 300_000, // Five minutes.
});
app.use('/v1/proxy', proxy);
app.listen(3000);
