import { durableProxy } from 'durable-proxy';
import express from 'express';
import { userOf } from './session.ts'; // Your own: returns the user of a request, or null.

const app = express();
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!, // openssl rand -base64 32
  allowlist: ['http://localhost:3000/api/chat'], // What a page may call: your chat route.
  async authenticate(request) {
    const user = await userOf(request);
    return user && { subject: user.id }; // With null the proxy responds 401.
  },
});
app.use('/v1/proxy', proxy); // Before express.json().
const server = app.listen(3000);

process.once('SIGTERM', async () => {
  // In production, answers in progress get 10 s to end. In development, a restart does not wait.
  await proxy.close({ drainMs: process.env.NODE_ENV === 'production' ? 10_000 : 0 });
  server.close();
});
