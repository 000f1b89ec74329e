import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import express from 'express';
import { Hono } from 'hono';
import { UPSTREAM_URL } from '../../protocol/headers.ts';
import { durableProxy, embeddedStore } from '../../server/index.ts';
import { createDurableHandler } from '../../server/web.ts';

/**
 * This project in a framework: `express <dataDir>` (the middleware), `hono <dataDir>` (the web handler behind Hono's
 * adapter for Node), or `hono-pass`: a plain pass-through behind that adapter, which shows what the adapter costs.
 */
const [kind, dataDir] = process.argv.slice(2) as ['express' | 'hono' | 'hono-pass', string];
const basePath = '/v1/proxy';
const options = () => ({
  jwtSecret: process.env['BENCH_SECRET']!,
  allowlist: ['http://127.0.0.1:*/**'],
  store: embeddedStore({ dataDir, durability: 'process' }),
});

function startExpress() {
  const app = express();
  app.use(basePath, durableProxy(options()));
  return app.listen(0, '127.0.0.1');
}

function startHono() {
  const app = new Hono();
  if (kind === 'hono-pass') {
    app.post('/', async ({ req }) => {
      const { body } = await fetch(String(req.header(UPSTREAM_URL)), { method: 'POST' });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    });
  } else {
    const handler = createDurableHandler({ ...options(), basePath });
    app.all(`${basePath}/*`, ({ req }) => handler(req.raw));
  }
  return serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1', createServer });
}

const server = kind === 'express' ? startExpress() : startHono();
await once(server, 'listening');
console.log(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}`);
// Exits normally, because only then a profile is written.
process.on('SIGTERM', () => process.exit());
