import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { redisStore, type RedisStoreOptions } from '../../../server/store/redis/index.ts';
import type { StoreFactory } from '../../../server/testing/byte-store/support.ts';

interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

/** Returns an emitter whose `error` events neither end the process nor print anything. */
export function ignoringErrors<T extends { on(event: 'error', listener: () => void): unknown }>(
  client: T,
): T {
  client.on('error', () => undefined);
  return client;
}

/**
 * Stores on one Redis for the whole suite, each with keys of its own.
 * @param client creates a client for a store. Default: the store gets the URL.
 */
export function storesOver(
  start: () => Promise<Running>,
  client?: (redis: Running) => Extract<RedisStoreOptions, { client: unknown }>['client'],
): StoreFactory {
  let redis: Running | undefined;
  beforeAll(async () => {
    redis = await start();
  });
  afterAll(async () => {
    await redis?.stop();
  });
  return async () => {
    const server = client ? { client: client(redis!) } : { url: redis!.url };
    const options = { ...server, keyPrefix: `test-${randomUUID()}:` };
    let store = redisStore(options);
    await store.open();
    return {
      store,
      async reopen() {
        await store.dispose();
        store = redisStore(options);
        await store.open();
        return store;
      },
      dispose: () => store.dispose(),
    };
  };
}
