import type { ByteStore } from '../../store/types.ts';
import type { Coordinator, CoordinatorOptions } from '../types.ts';
import { LogClaims } from './claims.ts';
import { LogNames } from './names.ts';
import { LogOutbox } from './outbox.ts';
import { LogProcesses } from './processes.ts';

/** Creates a coordinator that keeps everything in logs of a store, as version 0.1 did. Works with any store. */
export function coordinateByLogs(store: ByteStore, { logger, ttlSeconds }: CoordinatorOptions): Coordinator {
  return Object.freeze({
    processes: new LogProcesses({ store, logger, ttlSeconds }),
    claims: new LogClaims(store, ttlSeconds),
    names: new LogNames(store, ttlSeconds),
    outbox: new LogOutbox(store, ttlSeconds),
  });
}
