import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import * as vitest from 'vitest';
import { silentLogger } from '../../server/shared/logger.ts';
import { redisStore, type RedisClientOptions, type StreamStore } from '../../server/store/redis/index.ts';
import { describeCoordinator } from '../../server/testing/coordinator/index.ts';
import type { CoordinationFactory } from '../../server/testing/coordinator/support.ts';
import { needs } from '../requirements.ts';
import { startCluster } from '../store/redis/cluster.ts';
import { ignoringErrors } from '../store/redis/factory.ts';
import { startRedis, type RedisProgram } from '../store/redis/servers.ts';

/** Processes on one Redis for the whole suite, each group of tests with keys of its own. */
function processesOn(
  start: () => Promise<{ url: string; stop(): Promise<void> }>,
  client?: (url: string) => RedisClientOptions['client'],
): CoordinationFactory {
  let redis: Awaited<ReturnType<typeof start>> | undefined;
  vitest.beforeAll(async () => void (redis = await start()));
  vitest.afterAll(() => redis?.stop());
  return async (ttlSeconds) => {
    const keyPrefix = `test-${randomUUID()}:`;
    const stores = new Set<StreamStore>();
    const disposeAll = async () => {
      for (const store of stores) await store.dispose();
      stores.clear();
    };
    return {
      async join() {
        const store = redisStore(
          client ? { client: client(redis!.url), keyPrefix } : { url: redis!.url, keyPrefix },
        );
        stores.add(store);
        const coordinator = store.coordinate!({ logger: silentLogger, ttlSeconds });
        await store.open();
        return { coordinator, kill: () => store.dispose() };
      },
      restart: disposeAll,
      dispose: disposeAll,
    };
  };
}

const PROGRAMS: readonly RedisProgram[] = ['redis-server', 'valkey-server'];

for (const program of PROGRAMS) {
  needs(program)(`the coordinator on ${program}`, () => {
    vitest.describe('with one server', () => {
      describeCoordinator(
        vitest,
        'the Redis coordinator',
        processesOn(() => startRedis({}, program)),
      );
    });
    vitest.describe('with a cluster of three', () => {
      describeCoordinator(
        vitest,
        'the Redis coordinator',
        processesOn(() => startCluster({ program })),
      );
    });
  });
}

needs('redis-server')('the coordinator by ioredis', () => {
  const lazyConnect = true;
  vitest.describe('with one server', () => {
    describeCoordinator(
      vitest,
      'the Redis coordinator',
      processesOn(
        () => startRedis(),
        (url) => ignoringErrors(new Redis(url, { lazyConnect })),
      ),
    );
  });
  vitest.describe('with a cluster of three', () => {
    describeCoordinator(
      vitest,
      'the Redis coordinator',
      processesOn(
        () => startCluster(),
        (url) => ignoringErrors(new Redis.Cluster([url], { lazyConnect })),
      ),
    );
  });
});
