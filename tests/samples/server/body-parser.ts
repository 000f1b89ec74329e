import { durableProxy } from 'durable-proxy';
import express from 'express';

const app = express();
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
app.use(
  express.json({
    limit: '32mb',
    verify: (request, _response, bytes) => Object.assign(request, { rawBody: bytes }),
  }),
);
app.use('/v1/proxy', proxy);
app.listen(3000);
