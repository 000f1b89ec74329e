import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createServer, type InlineConfig, type ViteDevServer } from 'vite';
import { ROOT, SAMPLES } from './support/bundle.ts';
import { startFront, type Front } from './support/front.ts';
import { sampleFolder } from './support/load.ts';
import { FIRST_HALF, startModel, type StandInModel } from './support/model.ts';
import { startSample, type SampleProcess } from './support/server-process.ts';

const CHAT_KEY = 'a-key-of-the-samples';
const JSON_BODY = { 'content-type': 'application/json' };
const QUESTION = JSON.stringify({
  messages: [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'On drops of water' }] }],
});

let folder: string;
let front: Front;
let model: StandInModel;
let server: SampleProcess;
let vite: ViteDevServer | undefined;
beforeAll(async () => {
  [folder, front, model] = await Promise.all([sampleFolder(), startFront(), startModel()]);
});
afterAll(async () => {
  await Promise.all([front.close(), model.close(), rm(folder, { recursive: true, force: true })]);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await vite?.close();
  vite = undefined;
  await server?.dispose();
  model.finish();
  model.reset();
});

/** Starts the server of docs/react.md, and Vite in front of it. Returns the address of Vite. */
async function start(config: string): Promise<string> {
  server = await startSample('react/express-server.ts', {
    JWT_SECRET: 'a-secret-of-the-samples-that-is-long-enough',
    CHAT_KEY,
    APP_URL: front.origin,
    OPENAI_BASE_URL: model.url,
    OPENAI_API_KEY: 'sk-stand-in',
  });
  front.route({ '/': `http://127.0.0.1:${server.port}` });
  vite = await startVite(config, String(server.port));
  return vite.resolvedUrls!.local[0]!.replace(/\/$/, '');
}

/** Starts Vite with a copy of a configuration that forwards to this port. */
async function startVite(config: string, port: string, options: InlineConfig['server'] = { port: 0 }) {
  // The examples read the port from the environment.
  vi.stubEnv('PORT', port);
  const configFile = join(folder, 'vite.config.ts');
  const text = await readFile(config, 'utf8');
  await writeFile(
    configFile,
    text.replaceAll(/localhost:(?=3000|\$)/g, '127.0.0.1:').replaceAll(':3000', `:${port}`),
  );
  const created = await createServer({
    configFile,
    root: folder,
    cacheDir: join(folder, 'cache'),
    logLevel: 'silent',
    server: { host: '127.0.0.1', hmr: false, ...options },
    optimizeDeps: { noDiscovery: true },
  });
  return created.listen();
}

/** Reads a response until this text has arrived. */
async function readUntil(expected: string, response: Response): Promise<ReadableStreamDefaultReader<string>> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; !text.includes(expected);) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The response (${response.status}) ended after: ${text}`);
    text += value;
  }
  return reader;
}

/** Resolves when the connection has ended. Browsers report an error, `fetch` of Node.js an error or the end of the body. */
async function ended(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  try {
    while (!(await reader.read()).done);
  } catch {
    // The connection was reset.
  }
}

/** Creates an answer through Vite, and reads its first bytes. */
async function readAnswer(origin: string): Promise<ReadableStreamDefaultReader<string>> {
  const headers = { 'upstream-url': `${front.origin}/api/chat`, 'upstream-method': 'POST', ...JSON_BODY };
  const created = await fetch(`${origin}/v1/proxy`, { method: 'POST', headers, body: QUESTION });
  const url = new URL(created.headers.get('location')!, origin);
  url.searchParams.set('live', 'sse');
  return readUntil('event: data', await fetch(url));
}

/** Calls the chat route through Vite, and reads the first half of its answer. */
async function readChatRoute(origin: string): Promise<ReadableStreamDefaultReader<string>> {
  const headers = { authorization: `Bearer ${CHAT_KEY}`, ...JSON_BODY };
  const response = await fetch(`${origin}/api/chat`, { method: 'POST', headers, body: QUESTION });
  return readUntil(FIRST_HALF, response);
}

describe.each([
  ['[react/vite.config.ts]', join(SAMPLES, 'react/vite.config.ts')],
  ['examples/express-react-chat', join(ROOT, 'examples/express-react-chat/vite.config.ts')],
  ['examples/tanstack-ai-chat', join(ROOT, 'examples/tanstack-ai-chat/vite.config.ts')],
])('%s', (_name, config) => {
  it.each([
    ['/v1/proxy', readAnswer],
    ['/api/chat', readChatRoute],
  ])('closes the connection of the page to %s when Express is killed', async (_path, read) => {
    model.behavior = 'slow';
    const reader = await read(await start(config));
    const killed = performance.now();
    await server.kill('SIGKILL');
    await ended(reader);
    // Without the end of the connection, the client reconnects after 30 seconds without a byte.
    expect(performance.now() - killed).toBeLessThan(5000);
  });

  it('does not move to another port', async () => {
    const other = createTcpServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(startVite(config, '3000', { port })).rejects.toThrow(`Port ${port} is already in use`);
    other.close();
  });
});
