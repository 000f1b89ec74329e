import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_KEY } from '../../protocol/headers.ts';
import { durableStreamsStore } from '../../server/store/durable-streams/index.ts';
import { redisStore } from '../../server/store/redis/index.ts';
import { startProxy } from '../support/proxy.ts';
import { ManualStore } from '../support/manual-store.ts';
import { startUpstream } from '../support/upstream.ts';
import { codeOf, post } from '../support/wire.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const STREAM = /^[0-9a-f]{8}-/;
const elapsed = (since: number) => performance.now() - since;

it('[LIFE-8] responds 502 within 5 s if the store does not respond to a create, and deletes a late stream', async () => {
  const store = new ManualStore();
  let canceled!: () => void;
  const isCanceled = new Promise<void>((resolve) => (canceled = resolve));
  const upstream = await startUpstream(({ res }) => {
    res.on('close', canceled);
    res.writeHead(200).write('paid');
  });
  const proxy = await startProxy({ store });
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  store.holds = (name, id) => STREAM.test(id) && (name === 'create' || name === 'delete');
  const since = performance.now();
  const response = await post(proxy, `${upstream.url}/x`, { headers: { [IDEMPOTENCY_KEY]: 'k' } });
  expect([response.status, await codeOf(response), response.headers.get('retry-after')]).toEqual([
    502,
    'STORAGE_ERROR',
    '1',
  ]);
  expect(elapsed(since)).toBeLessThan(6_500);
  await isCanceled;
  const creation = await store.nextHeld();
  expect(creation.name).toBe('create');
  creation.run();
  const deletion = await store.nextHeld();
  expect([deletion.name, deletion.id]).toEqual(['delete', creation.id]);
  deletion.run();
  await vi.waitFor(() => expect(store.logs.has(creation.id)).toBe(false));
});

it.each([
  [IDEMPOTENCY_KEY, /^claim-/],
  [STREAM_KEY, /^key-/],
])('[LIFE-8] responds 502 within 5 s if the %s cannot be stored', async (header, logs) => {
  const store = new ManualStore();
  const upstream = await startUpstream(({ res }) => void res.writeHead(200).write('paid'));
  const proxy = await startProxy({ store });
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  store.holds = (_, id) => logs.test(id);
  const since = performance.now();
  const response = await post(proxy, `${upstream.url}/x`, { headers: { [header]: 'k' } });
  expect([response.status, await codeOf(response)]).toEqual([502, 'STORAGE_ERROR']);
  expect(elapsed(since)).toBeLessThan(6_500);
  expect(upstream.calls).toHaveLength(0);
});

it.each([
  ['Redis', (port: number) => redisStore({ url: `redis://user:hunter2@127.0.0.1:${port}` })],
  ['Durable Streams', (port: number) => durableStreamsStore({ url: `http://127.0.0.1:${port}/v1` })],
])('startup with a silent %s server fails within 10 s and names its URL', async (_, storeAt) => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  cleanups.push(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const store = storeAt(port);
  cleanups.push(() => store.dispose());
  const since = performance.now();
  const failure = await startProxy({ store }).then(
    () => 'started',
    (error: unknown) => (error as Error).message,
  );
  expect(elapsed(since)).toBeLessThan(11_000);
  expect(failure).toContain(`127.0.0.1:${port}`);
  expect(failure).toMatch(/no answer|timed? ?out|aborted/i);
  expect(failure).not.toContain('hunter2');
});
