import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import express from 'express';
import { durableProxy, embeddedStore } from '../../server/index.ts';

/**
 * Our server, which reports its memory and its pauses: `idle-child <dataDir> <keepAliveMs>`. `GET /account` returns the resident memory
 * after a garbage collection, and the longest pause of the event loop since the last call. Requires `--expose-gc`.
 */
const [dataDir, keepAliveMs] = process.argv.slice(2) as [string, string];
/** Milliseconds until the memory that a garbage collection freed is no longer resident. */
const RETURN_MS = 1_000;
const loop = monitorEventLoopDelay({ resolution: 1 });
loop.enable();

const app = express();
app.get('/account', (_req, res) => {
  const pauseMs = loop.max / 1e6;
  globalThis.gc!();
  // V8 returns pages to the system on another thread.
  setTimeout(() => {
    res.json({ pauseMs, residentBytes: process.memoryUsage.rss() });
    // Excludes the pause of the collection.
    loop.reset();
  }, RETURN_MS);
});
app.use(
  '/v1/proxy',
  durableProxy({
    jwtSecret: process.env['BENCH_SECRET']!,
    allowlist: ['http://127.0.0.1:*/**'],
    basePath: '/v1/proxy',
    store: embeddedStore({ dataDir }),
    keepAliveMs: Number(keepAliveMs),
  }),
);
const server = createServer(app).listen(0, '127.0.0.1', () => {
  console.log(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
