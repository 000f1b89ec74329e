import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Relay } from './relay.ts';
import { Upstream } from './upstream.ts';

const SECRET = 'a-secret-that-only-these-tests-know';
const SCRIPT = join(import.meta.dirname, 'proxy-process.ts');

/** A model, a proxy and the network between it and the page. Everything real, on free ports. */
export interface World {
  readonly upstream: Upstream;
  readonly relay: Relay;
  /** What every client in the tests is made with. */
  readonly client: { readonly proxyUrl: string; readonly proxyAuthorization: string };
  /** Ends the proxy without a word, as a crash does. */
  killProxy(): Promise<void>;
  /** Another proxy on the same data, reached at the same address. */
  startProxy(): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-react-'));
  const upstream = await new Upstream().listen();
  const relay = await new Relay().listen();
  let proxy: ChildProcess;

  const killProxy = async () => {
    if (proxy.exitCode !== null || proxy.signalCode !== null) return;
    proxy.kill('SIGKILL');
    await once(proxy, 'exit');
  };
  const startProxy = async () => {
    proxy = spawn(process.execPath, ['--import', 'tsx', SCRIPT, dataDir, SECRET], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: proxy.stdout as NodeJS.ReadableStream });
    const [url] = await Promise.race([
      once(lines, 'line') as Promise<[string]>,
      once(proxy, 'exit').then(() => Promise.reject(new Error('The proxy did not start.'))),
    ]);
    relay.aim(Number(new URL(url).port));
  };

  await startProxy();
  return {
    upstream,
    relay,
    client: { proxyUrl: `http://127.0.0.1:${relay.port}/v1/proxy`, proxyAuthorization: SECRET },
    killProxy,
    startProxy,
    async close() {
      await relay.close();
      await killProxy();
      await upstream.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
