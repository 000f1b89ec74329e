import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve as serveWeb } from '@hono/node-server';
import { createProxyServer, signStreamUrl, type ProxyServerOptions } from 'durable-proxy';
import type { ProxyTarget } from 'durable-proxy/conformance';
import { redisStore } from 'durable-proxy/redis';
import { createDurableHandler } from 'durable-proxy/web';
import { needs } from '../requirements.ts';
import { startReferenceServer } from '../store/durable-streams/reference-server.ts';
import { startRedis } from '../store/redis/servers.ts';
import { temporaryFolder } from '../support/proxy.ts';

/** Secret of the servers that `PROXY_CONFORMANCE_URL` names. */
export const CONFORMANCE_SECRET = 'test-secret-key-for-development';

export interface RunningServer {
  readonly target: ProxyTarget;
  stop(): Promise<void>;
}

interface ServerKind {
  readonly name: string;
  /** The `describe` to use if a program of the machine is required. */
  readonly suite?: (title: string, suite: () => void) => void;
  readonly start: () => Promise<RunningServer>;
}

type StoreOptions = Pick<ProxyServerOptions, 'store' | 'dataDir' | 'durability' | 'durableStreamsUrl'>;

/** Timeouts that a test can wait for, and a read limit that a test can reach. */
const OPTIONS = {
  jwtSecret: CONFORMANCE_SECRET,
  allowlist: ['http://127.0.0.1:*/**', 'http://localhost:*/**'],
  longPollTimeoutMs: 2_000,
  keepAliveMs: 500,
  maxReadBytes: 1_048_576,
};

const targetOf = (url: string): ProxyTarget => ({
  url,
  secret: CONFORMANCE_SECRET,
  extensions: true,
  signUrl: (urlOptions) => signStreamUrl({ jwtSecret: CONFORMANCE_SECRET, ...urlOptions }),
});

/** Starts the server. */
async function serve(
  options: StoreOptions,
  ...afterwards: (() => Promise<unknown>)[]
): Promise<RunningServer> {
  const server = await createProxyServer({
    port: 0,
    host: '127.0.0.1',
    ...OPTIONS,
    ...options,
  });
  return {
    target: targetOf(server.url),
    stop: async () => {
      await server.stop({ drainMs: 0 });
      for (const each of afterwards) await each();
    },
  };
}

async function embedded(durability: 'disk' | 'process'): Promise<RunningServer> {
  const folder = await temporaryFolder();
  return serve({ dataDir: folder.path, durability }, folder.remove);
}

/** Starts the web handler on the server that Hono uses on Node. */
async function web(): Promise<RunningServer> {
  const folder = await temporaryFolder();
  const handler = createDurableHandler({ ...OPTIONS, basePath: '/v1/proxy', dataDir: folder.path });
  const server = serveWeb({ fetch: handler, port: 0, hostname: '127.0.0.1', createServer });
  await once(server, 'listening');
  return {
    target: targetOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/proxy`),
    stop: async () => {
      await handler.close({ drainMs: 0 });
      await new Promise((resolve) => server.close(resolve));
      await folder.remove();
    },
  };
}

/** The server on each of its stores. */
export const servers: readonly ServerKind[] = [
  { name: 'the embedded store, flushed to disk', start: () => embedded('disk') },
  { name: 'the embedded store, safe with the process', start: () => embedded('process') },
  { name: 'the embedded store, as a web handler', start: web },
  {
    name: 'Redis',
    suite: needs('redis-server'),
    start: async () => {
      const redis = await startRedis();
      const store = redisStore({ url: redis.url });
      return serve(
        { store },
        () => store.dispose(),
        () => redis.stop(),
      );
    },
  },
  {
    name: 'a Durable Streams server',
    start: async () => {
      const backend = await startReferenceServer({ mode: 'memory' });
      return serve({ durableStreamsUrl: backend.url }, () => backend.stop());
    },
  },
];
