import * as vitest from 'vitest';
import { describeCoordinator } from '../../../server/testing/coordinator/index.ts';
import { needs } from '../../requirements.ts';
import { startRedis } from '../../store/redis/servers.ts';
import { processesOn } from './processes.ts';

needs('valkey-server')('on one valkey-server', () => {
  describeCoordinator(
    vitest,
    'the Redis coordinator',
    processesOn(() => startRedis({}, 'valkey-server')),
  );
});
