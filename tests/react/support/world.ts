import { cleanup } from '@testing-library/react';
import { createHmac, randomUUID } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { bundleScript } from '../../support/bundle-script.ts';
import './patience.ts';
import { Relay } from './relay.ts';
import { Upstream } from './upstream.ts';

const SECRET = 'a-secret-that-only-these-tests-know';

/** A model, a proxy and the network between it and the page, with real servers on free ports. */
export interface World {
  readonly upstream: Upstream;
  readonly relay: Relay;
  /** Options of every client in the tests. */
  readonly client: { readonly proxyUrl: string; readonly proxyAuthorization: string };
  /** Returns a new service token for a user. */
  token(subject: string): string;
  /** Kills the proxy without a shutdown, like a crash. */
  killProxy(): Promise<void>;
  /** Starts another proxy with the same data at the same address. */
  startProxy(): Promise<void>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-react-'));
  const script = bundleScript('tests/react/support/proxy-process.ts');
  const upstream = await new Upstream().listen();
  const relay = await new Relay().listen();
  let proxy: ChildProcess;

  const killProxy = async () => {
    if (proxy.exitCode !== null || proxy.signalCode !== null) return;
    proxy.kill('SIGKILL');
    await once(proxy, 'exit');
  };
  const startProxy = async () => {
    proxy = spawn(process.execPath, ['--enable-source-maps', script, dataDir, SECRET], {
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
    token: serviceToken,
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

/**
 * Opens a world for all tests of a file. After each test, the page's storages are empty and the upstream has no
 * requests.
 * @returns the world, which is open when the first test starts.
 */
export function useWorld(): World {
  const world = {} as World;
  beforeAll(async () => void Object.assign(world, await openWorld()));
  afterEach(() => {
    cleanup();
    if (typeof window === 'object') for (const storage of [localStorage, sessionStorage]) storage.clear();
    world.upstream.reset();
  });
  afterAll(() => world.close());
  return world;
}

/** Like `createServiceToken`, which does not run in jsdom because its `Uint8Array` differs. */
function serviceToken(subject: string): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const text = `${encode({ alg: 'HS256', typ: 'durable-proxy+jwt' })}.${encode({ sub: subject, iat: now, exp: now + 600, jti: randomUUID() })}`;
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}
