// #region
import { durableProxy } from 'durable-proxy';
import { openTelemetry } from 'durable-proxy/opentelemetry';
import express from 'express';

const app = express();
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
  telemetry: openTelemetry(),
});
app.use('/v1/proxy', proxy);
app.listen(3000);
// #endregion
