import { timingSafeEqual } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { durableProxy } from 'durable-proxy';
import express from 'express';
import OpenAI from 'openai';

const { JWT_SECRET, CHAT_KEY, PORT = '3000', NODE_ENV } = process.env;
if (!JWT_SECRET || !CHAT_KEY) throw new Error('Set the environment variables JWT_SECRET and CHAT_KEY');
const { APP_URL = `http://localhost:${PORT}` } = process.env;
const isProduction = NODE_ENV === 'production';
const openai = new OpenAI(); // Reads OPENAI_API_KEY and OPENAI_BASE_URL.

/** Replace this with your session. It returns null if nobody is signed in. */
async function userOf(_request) {
  return isProduction ? null : { id: 'developer' };
}

const proxy = durableProxy({
  jwtSecret: JWT_SECRET,
  // The only URL that a page can reach through the proxy.
  allowlist: [`${APP_URL}/api/answer`],
  async authenticate(request) {
    const user = await userOf(request);
    return user && { subject: user.id };
  },
  // The proxy does not forward cookies. This is how the route recognizes the proxy and the user.
  prepareUpstream({ headers, subject }) {
    headers.set('authorization', `Bearer ${CHAT_KEY}`);
    headers.set('x-user', subject ?? '');
  },
});

function requireProxy(request, response, next) {
  const expected = Buffer.from(`Bearer ${CHAT_KEY}`);
  const received = Buffer.from(request.headers.authorization ?? '');
  if (received.length === expected.length && timingSafeEqual(received, expected)) next();
  else response.sendStatus(401);
}

const app = express();
// Before any body parser: the proxy forwards bodies as they are and has its own limit.
app.use('/v1/proxy', proxy);

app.post('/api/answer', requireProxy, express.json(), async (request, response) => {
  // The proxy closes the connection when the user presses Stop. This cancels the request to the model.
  const stopped = new AbortController();
  response.once('close', () => stopped.abort());
  try {
    const stream = await openai.chat.completions.create(
      {
        model: 'gpt-4.1-mini',
        messages: [{ role: 'user', content: String(request.body.message) }],
        stream: true,
      },
      { signal: stopped.signal },
    );
    response.type('text/plain').flushHeaders();
    let finishReason = null;
    for await (const { choices } of stream) {
      response.write(choices[0]?.delta.content ?? '');
      finishReason = choices[0]?.finish_reason ?? finishReason;
    }
    if (finishReason === null) throw new Error('The model’s answer is incomplete');
    response.end();
  } catch (error) {
    if (stopped.signal.aborted) return;
    console.error(error);
    // Cutting the connection signals the proxy, and thereby the page, that the answer is incomplete.
    if (response.headersSent) response.destroy();
    else response.status(502).json({ error: { message: 'The model could not answer. Try again later.' } });
  }
});

// The folder of the client, which the import map of the page names. It imports no other package.
const modules = dirname(fileURLToPath(import.meta.resolve('durable-proxy/client')));
app.use('/modules/durable-proxy', express.static(modules));
app.use(express.static(join(import.meta.dirname, 'public')));

const server = app.listen(Number(PORT), (error) => {
  if (error) throw error; // Express 5 reports an error, such as a port in use, to this function.
  console.log(`Open ${APP_URL}`);
});

// A second SIGTERM ends the process at once. In development a restart does not wait for answers.
process.once('SIGTERM', async () => {
  await proxy.close({ drainMs: isProduction ? 10_000 : 0 });
  server.close();
});
