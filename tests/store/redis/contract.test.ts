import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import { redisStore } from '../../../server/store/redis/index.ts';
import { needs } from '../../requirements.ts';
import { describeStore, type StoreFactory } from '../contract/index.ts';
import { startCluster } from './cluster.ts';
import { startRedis } from './servers.ts';

interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

function describeOver(name: string, start: () => Promise<Running>): void {
  let redis: Running;
  beforeAll(async () => {
    redis = await start();
  });
  afterAll(async () => {
    await redis.stop();
  });
  const factory: StoreFactory = async () => {
    const options = { url: redis.url, keyPrefix: `test-${randomUUID()}:` };
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
  describeStore(name, factory);
}

needs('redis-server')('Redis', () => describeOver('one Redis server', () => startRedis()));
needs('redis-server')('Redis Cluster', () => describeOver('a cluster of three', () => startCluster()));
