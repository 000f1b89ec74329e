import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { redisStore } from '../../../server/store/redis/index.ts';
import type { StoreFactory } from '../contract/index.ts';

interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

/** Stores over one Redis that runs for the suite, each with keys of its own. */
export function storesOver(start: () => Promise<Running>): StoreFactory {
  let redis: Running | undefined;
  beforeAll(async () => {
    redis = await start();
  });
  afterAll(async () => {
    await redis?.stop();
  });
  return async () => {
    const options = { url: redis!.url, keyPrefix: `test-${randomUUID()}:` };
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
