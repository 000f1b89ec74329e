import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createProxyServer,
  durableProxy,
  type DurableProxyOptions,
  type DurableProxyRouter,
  type ProxyServer,
  type ProxyServerOptions,
} from '../../server/index.ts';

export const SECRET = 'a-secret-of-the-tests-that-is-long-enough';

/** Options of a proxy that may call every upstream of this machine. */
export const LOCAL_UPSTREAMS = { jwtSecret: SECRET, allowlist: ['http://127.0.0.1:*/**'] };

export interface TestProxy extends ProxyServer {
  /** The mount: `{url}/v1/proxy`. */
  readonly base: string;
  readonly dataDir: string;
}

/** A temporary folder for a store. `remove` deletes it. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'durable-proxy-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** A standalone proxy on a free port with a store of its own; `stop` removes the store too, unless it was given. */
export async function startProxy(options: Partial<ProxyServerOptions> = {}): Promise<TestProxy> {
  const folder = await temporaryFolder();
  const server = await createProxyServer({
    port: 0,
    host: '127.0.0.1',
    ...LOCAL_UPSTREAMS,
    ...(options.store === undefined && options.durableStreamsUrl === undefined && { dataDir: folder.path }),
    ...options,
  });
  return {
    ...server,
    base: `${server.url}/v1/proxy`,
    dataDir: options.dataDir ?? folder.path,
    stop: async (stopOptions) => {
      await server.stop(stopOptions);
      await folder.remove();
    },
  };
}

export interface TestRouter {
  readonly proxy: DurableProxyRouter;
  /** Closes the proxy, and removes its store unless it was given. */
  close(): Promise<void>;
}

/** A proxy to mount in an app, with a store of its own. */
export async function createRouter(options: Partial<DurableProxyOptions> = {}): Promise<TestRouter> {
  const folder = await temporaryFolder();
  const proxy = durableProxy({
    ...LOCAL_UPSTREAMS,
    ...(options.store === undefined && { dataDir: folder.path }),
    ...options,
  });
  return {
    proxy,
    close: async () => {
      await proxy.close({ drainMs: 0 });
      await folder.remove();
    },
  };
}
