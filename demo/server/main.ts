import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createDemo } from './app.ts';
import { networkAddress } from './pairing.ts';

const { env } = process;
const { AGENT_URL, AGENT_KEY } = env;
if (!AGENT_URL || !AGENT_KEY)
  throw new Error('Set AGENT_URL and AGENT_KEY, or start start.js, which starts both.');
const dataDir = env['DATA_DIR'] ?? '.durable-proxy/demo';

/** Returns a secret that survives a restart: pages have stored URLs that were signed with it. */
async function keptSecret(): Promise<string> {
  const file = join(dataDir, 'secret');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  try {
    await writeFile(file, randomBytes(32).toString('base64'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFile(file, 'utf8');
}

const jwtSecret = env['JWT_SECRET'] ?? (await keptSecret());

// Nothing is awaited after the server listens: requests before the handler is attached would get no response.
const server = createServer();
try {
  await once(server.listen(Number(env['PORT'] ?? 3000), env['HOST'] ?? 'localhost'), 'listening');
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  console.error(`Port ${env['PORT'] ?? 3000} is taken. Try another: PORT=3001 npm start`);
  process.exit(1);
}
const { port } = server.address() as AddressInfo;

const isOpen = env['HOST'] === '0.0.0.0';
const address = isOpen ? (env['PUBLIC_HOST'] ?? networkAddress()) : undefined;

const demo = createDemo({
  port,
  networkOrigin: address && `http://${address}:${port}`,
  agent: { url: AGENT_URL, key: AGENT_KEY },
  dataDir: join(dataDir, 'streams'),
  jwtSecret,
  ...(env['URL_EXPIRATION_SECONDS'] && { urlExpirationSeconds: Number(env['URL_EXPIRATION_SECONDS']) }),
  crash: () => process.kill(process.pid, 'SIGKILL'),
});
server.on('request', demo.app);

const url = `http://localhost:${port}`;
const scripted =
  env['MODEL_URL'] || env['OPENAI_API_KEY'] ? '' : ' (scripted model; set OPENAI_API_KEY for a real one)';
console.log(`durable-proxy demo: ${url}${scripted}`);
// For a machine without a browser, such as a container: the code is valid once.
if (address) console.log(`on another device: ${demo.pairing.invite(randomUUID())}`);
process.send?.({ port });

const stopping = new AbortController();
stopping.signal.addEventListener('abort', () => {
  server.close();
  void demo.close({ drainMs: 2000 }).finally(() => process.exit(0));
});
// `disconnect`: the process that started this one has exited.
for (const event of ['SIGINT', 'SIGTERM', 'disconnect']) process.on(event, () => stopping.abort());
