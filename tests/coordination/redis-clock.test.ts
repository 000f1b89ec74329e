import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { createKeyring } from '../../server/auth/keyring.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import { redisStore } from '../../server/store/redis/index.ts';
import type { StreamStore } from '../../server/store/types.ts';
import { originEntries } from '../../server/webhooks/task.ts';
import { Webhooks } from '../../server/webhooks/webhooks.ts';
import { needs } from '../requirements.ts';
import { startRedis, type RedisServer } from '../store/redis/servers.ts';
import { SECRET } from '../support/proxy.ts';
import { startUpstream } from '../support/upstream.ts';

const HOUR_MS = 3_600_000;

needs('redis-server')('a process whose clock is wrong', () => {
  let redis: RedisServer;
  const cleanups: (() => unknown)[] = [];
  beforeAll(async () => void (redis = await startRedis()));
  afterEach(async () => {
    vi.useRealTimers();
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(() => redis.stop());

  /** Milliseconds by the clock of Redis. */
  const now = async (): Promise<number> => {
    const [seconds, microseconds] = (await redis.command('TIME')) as [string, string];
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  };

  /** When the only task of the outbox is due. */
  const due = async (prefix: string): Promise<number> => {
    const [, score] = (await redis.command(
      'ZRANGE',
      `${prefix}{outbox}:due`,
      '0',
      '-1',
      'WITHSCORES',
    )) as string[];
    return Number(score);
  };

  async function open(prefix: string): Promise<StreamStore> {
    const store = redisStore({ url: redis.url, keyPrefix: prefix });
    await store.open();
    cleanups.push(() => store.dispose());
    return store;
  }

  it.each([
    ['an hour behind', -HOUR_MS],
    ['an hour ahead', HOUR_MS],
  ])('sends and repeats webhooks on time if it is %s', async (_, skewMs) => {
    const prefix = `test-${randomUUID()}:`;
    const store = await open(prefix);
    const { outbox } = store.coordinate!({ logger: silentLogger, ttlSeconds: 60 });
    const receiver = await startUpstream(({ res }) => res.writeHead(500).end());
    cleanups.push(() => receiver.close());
    let onFailed!: () => void;
    const failed = new Promise<void>((resolve) => (onFailed = resolve));
    const webhooks = new Webhooks({
      url: receiver.url,
      secret: `whsec_${randomBytes(32).toString('base64')}`,
      outbox,
      store,
      keyring: createKeyring(SECRET),
      options: { urlExpirationSeconds: 60, logger: silentLogger },
      emit: ({ type }) => type === 'webhook-failed' && onFailed(),
    });
    cleanups.push(() => webhooks.stop());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + skewMs });
    const metadata = originEntries({ base: '/v1/proxy', startedAt: Date.now() });
    await webhooks.announce({ streamId: 'id', metadata, end: { outcome: 'complete' }, bytes: 5 });
    const announcedAt = await now();
    expect(await due(prefix)).toBeLessThanOrEqual(announcedAt + 1_000);
    webhooks.start();
    await failed;
    // Waits until the task is returned.
    await webhooks.stop();
    const repeatedAt = await due(prefix);
    expect(repeatedAt).toBeGreaterThanOrEqual(announcedAt + 5_000);
    expect(repeatedAt).toBeLessThanOrEqual((await now()) + 6_000);
  });
});
