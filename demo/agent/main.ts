import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { agentRoutes } from './routes.ts';
import { createScriptedModel } from './scripted-model.ts';

const { env } = process;
const key = env['AGENT_KEY'];
if (!key) throw new Error('Set AGENT_KEY to the secret that the proxy sends.');

const app = express();
app.disable('x-powered-by');
const server = app.listen(Number(env['AGENT_PORT'] ?? 0), '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const baseURL = env['MODEL_URL'] ?? (env['OPENAI_API_KEY'] && 'https://api.openai.com/v1');
const name = baseURL ? (env['OPENAI_MODEL'] ?? 'gpt-4.1-mini') : 'scripted';
const scripted = createScriptedModel();
app.use('/scripted-model', scripted.router);
// The provider of a real model counts its calls itself.
app.get('/model', (_req, res) => res.json({ name, ...(!baseURL && { calls: scripted.calls.length }) }));
app.use(
  agentRoutes({
    baseURL: baseURL ?? `${url}/scripted-model`,
    apiKey: env['OPENAI_API_KEY'],
    model: name,
    key,
    crash: () => process.kill(process.pid, 'SIGKILL'),
  }),
);
console.log(`agent: ${url} (${name})`);
process.send?.({ url });

// `disconnect`: the process that started this one has exited.
for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.on(event, () => process.exit(0));
