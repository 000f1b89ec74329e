import { randomBytes } from 'node:crypto';
import { createProxyServer, createServiceToken } from 'durable-proxy';

const { OPENAI_API_KEY, OPENAI_BASE_URL = 'https://api.openai.com/v1' } = process.env;

/** Starts a proxy that may call the provider, and adds the key. Returns its URL and a token for the script. */
export async function startProxy() {
  // Answers outlive the script here, not the proxy. To keep them longer, keep this secret.
  const jwtSecret = randomBytes(32).toString('base64');
  const allowlist = [`${OPENAI_BASE_URL}/chat/completions`];
  const server = await createProxyServer({
    port: 0,
    jwtSecret,
    allowlist,
    prepareUpstream: ({ headers }) => headers.set('authorization', `Bearer ${OPENAI_API_KEY}`),
  });
  const token = await createServiceToken({
    jwtSecret,
    subject: 'ask',
    expiresInSeconds: 3600,
    allow: allowlist,
  });
  return { url: `${server.url}/v1/proxy`, token, stop: server.stop };
}
