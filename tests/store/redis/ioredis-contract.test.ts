import { Redis as Redis6 } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { needs } from '../../requirements.ts';
import { describeStore } from '../contract/index.ts';
import { startCluster } from './cluster.ts';
import { ignoringErrors, storesOver } from './factory.ts';
import { startRedis } from './servers.ts';

needs('redis-server')('Redis store by ioredis 6', () => {
  describeStore(
    'one server',
    storesOver(
      () => startRedis(),
      ({ url }) => ignoringErrors(new Redis6(url, { keyPrefix: 'app:', lazyConnect: true })),
    ),
  );
});

needs('redis-server')('Redis store by ioredis on a cluster', () => {
  describeStore(
    'a cluster of three',
    storesOver(
      () => startCluster(),
      ({ url }) => ignoringErrors(new Redis6.Cluster([url], { lazyConnect: true })),
    ),
  );
});

needs('redis-server')('Redis store by ioredis 5', () => {
  describeStore(
    'one server',
    storesOver(
      () => startRedis(),
      ({ url }) => ignoringErrors(new Redis5(url, { lazyConnect: true })),
    ),
  );
});
