import * as vitest from 'vitest';
import { Redis } from 'ioredis';
import { describeCoordinator } from '../../../server/testing/coordinator/index.ts';
import { needs } from '../../requirements.ts';
import { startCluster } from '../../store/redis/cluster.ts';
import { ignoringErrors } from '../../store/redis/factory.ts';
import { processesOn } from './processes.ts';

needs('redis-server')('by ioredis on a cluster of three', () => {
  describeCoordinator(
    vitest,
    'the Redis coordinator',
    processesOn(
      () => startCluster(),
      (url) => ignoringErrors(new Redis.Cluster([url], { lazyConnect: true })),
    ),
  );
});
