import type { Coordinator, CoordinatorOptions } from '../../../coordination/types.ts';
import type { Access } from './access.ts';
import { RedisClaims } from './claims.ts';
import { RedisNames } from './names.ts';
import { RedisOutbox } from './outbox.ts';
import { RedisProcesses } from './processes.ts';

/**
 * Creates the coordinator of one process.
 * @param use returns the resources of the open store. Throws before the store is open.
 */
export function coordinateOnRedis(
  use: () => Access,
  { logger, ttlSeconds }: CoordinatorOptions,
): Coordinator {
  return Object.freeze({
    processes: new RedisProcesses({ use, logger, ttlSeconds }),
    claims: new RedisClaims(use, ttlSeconds),
    names: new RedisNames(use, ttlSeconds),
    outbox: new RedisOutbox(use),
  });
}
