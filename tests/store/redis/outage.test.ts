import { afterAll, beforeAll, expect, it } from 'vitest';
import { setTimeout as delay } from 'node:timers/promises';
import { needs } from '../../requirements.ts';
import { COMPLETE, expectSame, readAll, streamOf } from '../../../server/testing/byte-store/support.ts';
import { startRelay, type Relay } from './relay.ts';
import { startRedis, type RedisServer } from './servers.ts';
import { openStores } from './stores.ts';

/** Milliseconds; longer than the 10 s that other operations may take, as in a failover of Redis Cluster. */
const OUTAGE_MS = 12_000;

needs('redis-server')('Redis store when Redis is unavailable for 12 s', () => {
  let redis: RedisServer;
  let relay: Relay;
  beforeAll(async () => {
    redis = await startRedis();
    relay = await startRelay(Number(new URL(redis.url).port));
  });
  afterAll(async () => {
    await relay.stop();
    await redis.stop();
  });
  const open = openStores();

  it('keeps a running stream complete', { timeout: 60_000 }, async () => {
    const store = await open({ url: relay.url });
    const id = await streamOf(store, 'before ');
    const { target } = relay;
    // Nothing listens on port 1.
    relay.target = 1;
    relay.cut();
    const appending = store.append(id, Buffer.from('during '));
    await delay(OUTAGE_MS);
    relay.target = target;
    await appending;
    await store.append(id, Buffer.from('after'));
    await store.close(id, COMPLETE);
    const { bytes } = await readAll(store, id);
    expectSame(bytes, Buffer.from('before during after'));
    expect(bytes.length).toBe(19);
  });

  it('fails with appendTimeoutMs when that is shorter', async () => {
    const store = await open({ url: relay.url, appendTimeoutMs: 500 });
    const id = await streamOf(store, 'before ');
    const { target } = relay;
    relay.target = 1;
    relay.cut();
    await expect(store.append(id, Buffer.from('during'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    relay.target = target;
  });
});
