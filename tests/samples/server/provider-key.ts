import { durableProxy } from 'durable-proxy';
import express from 'express';

const { JWT_SECRET, OPENAI_API_KEY } = process.env;
if (!JWT_SECRET || !OPENAI_API_KEY) throw new Error('Set JWT_SECRET and OPENAI_API_KEY');

const app = express();
const proxy = durableProxy({
  jwtSecret: JWT_SECRET,
  allowlist: ['https://api.openai.com/**'],
  prepareUpstream({ url, headers }) {
    if (url.host === 'api.openai.com') headers.set('authorization', `Bearer ${OPENAI_API_KEY}`);
  },
});
app.use('/v1/proxy', proxy);
app.listen(3000);
