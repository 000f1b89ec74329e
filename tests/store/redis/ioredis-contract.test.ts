import { Redis as Redis6 } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import * as vitest from 'vitest';
import { describeByteStore } from '../../../server/testing/byte-store/index.ts';
import { needs } from '../../requirements.ts';
import { startCluster } from './cluster.ts';
import { ignoringErrors, storesOver } from './factory.ts';
import { startRedis } from './servers.ts';

// Commands differ between the clients, not the store's logic: the random steps run with node-redis only.
needs('redis-server')('Redis store by ioredis 6 on a cluster', () => {
  describeByteStore(
    vitest,
    'a cluster of three',
    storesOver(
      () => startCluster(),
      ({ url }) => ignoringErrors(new Redis6.Cluster([url], { lazyConnect: true })),
    ),
  );
});

needs('redis-server')('Redis store by ioredis 5', () => {
  describeByteStore(
    vitest,
    'one server',
    storesOver(
      () => startRedis(),
      ({ url }) => ignoringErrors(new Redis5(url, { keyPrefix: 'app:', lazyConnect: true })),
    ),
  );
});
