import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { afterEach, expect, it } from 'vitest';
import { durableProxy } from '../../server/index.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import { SECRET, temporaryFolder } from '../support/proxy.ts';
import { Child } from '../store/embedded-support.ts';
import { startUpstream, write } from '../support/upstream.ts';
import { codeOf, post } from '../support/wire.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it('works as soon as the process that held the data directory has ended', { timeout: 30_000 }, async () => {
  const folder = await temporaryFolder();
  cleanups.push(() => folder.remove());
  const holder = new Child(['hold', folder.path]);
  cleanups.push(() => holder.kill());
  await holder.printed('open');
  const upstream = await startUpstream(({ res }) => void write(res, 'hello').then(() => res.end()));
  cleanups.push(() => upstream.close());
  const errors: unknown[] = [];
  const proxy = durableProxy({
    jwtSecret: SECRET,
    allowlist: ['http://127.0.0.1:*/**'],
    allowPrivateNetworks: true,
    dataDir: folder.path,
    logger: { ...silentLogger, error: (fields) => void errors.push((fields as { err: unknown }).err) },
  });
  cleanups.push(() => proxy.close({ drainMs: 0 }));
  const server = createServer(express().use('/v1/proxy', proxy)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/proxy`;

  await expect(proxy.ready).rejects.toThrow(`(pid ${holder.pid}) holds "${folder.path}"`);
  const refused = await post({ base }, `${upstream.url}/x`);
  expect([refused.status, await codeOf(refused), refused.headers.get('retry-after')]).toEqual([
    502,
    'STORAGE_ERROR',
    '1',
  ]);
  const waiting = post({ base }, `${upstream.url}/x`);
  await holder.kill();
  expect((await waiting).status).toBe(201);
  expect(errors.filter((error) => String(error).includes('pid'))).toHaveLength(1);
});
