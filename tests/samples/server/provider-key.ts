import { durableProxy } from 'durable-proxy';
import express from 'express';

const app = express();
// #region
const { JWT_SECRET, OPENAI_API_KEY } = process.env;
if (!JWT_SECRET || !OPENAI_API_KEY) throw new Error('Set JWT_SECRET and OPENAI_API_KEY');

const proxy = durableProxy({
  jwtSecret: JWT_SECRET,
  allowlist: ['https://api.openai.com/**'],
  prepareUpstream({ url, headers }) {
    if (url.host === 'api.openai.com') headers.set('authorization', `Bearer ${OPENAI_API_KEY}`);
  },
});
// #endregion
app.use('/v1/proxy', proxy);
app.listen(3000);
