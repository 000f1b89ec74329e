import { durableProxy } from 'durable-proxy';
import express from 'express';
import { rateLimit } from 'express-rate-limit';

const app = express();
const limitCreates = rateLimit({
  windowMs: 60_000,
  limit: 30, // Creates of one IP address in a minute.
  skip: ({ method }) => method !== 'POST', // Only creates call the upstream.
  // A code of the proxy, so that the client reports it instead of taking it for the error of an intermediary.
  message: { error: { code: 'TOO_MANY_STREAMS', message: 'Too many requests; try again in a minute' } },
});
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
  maxStoredBytes: 50 * 2 ** 30,
  maxStoredBytesPerSubject: 100 * 2 ** 20,
});
app.use('/v1/proxy', limitCreates, proxy);
app.listen(3000);
