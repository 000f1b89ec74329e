import { randomUUID } from 'node:crypto';
import * as vitest from 'vitest';
import { silentLogger } from '../../../server/shared/logger.ts';
import { redisStore, type RedisClientOptions } from '../../../server/store/redis/index.ts';
import type { CoordinationFactory } from '../../../server/testing/coordinator/support.ts';
import { OpenStores } from '../../support/open-stores.ts';

/**
 * Returns processes that share one Redis for the whole suite. Each group of tests has keys of its own.
 *
 * The suite waits 45 s for leases to expire, so each variant has a test file: the waits of several files overlap.
 */
export function processesOn(
  start: () => Promise<{ url: string; stop(): Promise<void> }>,
  client?: (url: string) => RedisClientOptions['client'],
): CoordinationFactory {
  let redis: Awaited<ReturnType<typeof start>> | undefined;
  vitest.beforeAll(async () => void (redis = await start()));
  vitest.afterAll(() => redis?.stop());
  return async (ttlSeconds) => {
    const keyPrefix = `test-${randomUUID()}:`;
    const stores = new OpenStores();
    return {
      async join() {
        const { url } = redis!;
        const store = stores.add(redisStore({ ...(client ? { client: client(url) } : { url }), keyPrefix }));
        const coordinator = store.coordinate!({ logger: silentLogger, ttlSeconds });
        await store.open();
        return { coordinator, kill: () => store.dispose() };
      },
      restart: stores.disposeAll,
      dispose: stores.disposeAll,
    };
  };
}
