import * as vitest from 'vitest';
import { describeCoordinator } from '../../../server/testing/coordinator/index.ts';
import { needs } from '../../requirements.ts';
import { startCluster } from '../../store/redis/cluster.ts';
import { processesOn } from './processes.ts';

needs('redis-server')('on a cluster of three redis-server processes', () => {
  describeCoordinator(
    vitest,
    'the Redis coordinator',
    processesOn(() => startCluster({ program: 'redis-server' })),
  );
});
