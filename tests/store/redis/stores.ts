import { afterEach } from 'vitest';
import { redisStore, type RedisStoreOptions } from '../../../server/store/redis/index.ts';
import type { StreamStore } from '../../../server/store/types.ts';
import { noise } from '../contract/support.ts';

/** Opens stores that are disposed of after the test. */
export function openStores(): (options: RedisStoreOptions) => Promise<StreamStore> {
  const open: StreamStore[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((store) => store.dispose()));
  });
  return async (options) => {
    const store = redisStore(options);
    open.push(store);
    await store.open();
    return store;
  };
}

/** Appends one piece after the other until it is told to stop; gives all that was acknowledged. */
export function writeOn(store: StreamStore, id: string): { stop(): Promise<Buffer> } {
  const acknowledged: Buffer[] = [];
  let stopped = false;
  const writing = (async () => {
    for (let i = 1; !stopped; i += 1) {
      const piece = noise(1 + (i % 300), i);
      await store.append(id, piece);
      acknowledged.push(piece);
    }
  })();
  // Whoever stops it hears of a failure.
  writing.catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      await writing;
      return Buffer.concat(acknowledged);
    },
  };
}
