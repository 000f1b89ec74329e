import { durableProxy } from 'durable-proxy';
import express from 'express';

const JWT_SECRET = process.env.JWT_SECRET!;

// #region
const proxy = durableProxy({
  jwtSecret: JWT_SECRET,
  allowlist: ['https://api.openai.com/**'],
  unreadTimeoutMs: 300_000, // Five minutes.
});
// #endregion

const app = express();
app.use('/v1/proxy', proxy);
app.listen(3000);
