import type { Coordinator } from '../../../coordination/types.ts';
import { EmbeddedClaims, type EmbeddedTableOptions } from './claims.ts';
import { EmbeddedNames } from './names.ts';
import { EmbeddedOutbox } from './outbox.ts';
import { EmbeddedProcesses } from './processes.ts';

/** Creates the coordinator of one proxy on a database that this process has open. */
export function coordinateInProcess(options: EmbeddedTableOptions): Coordinator {
  return Object.freeze({
    processes: new EmbeddedProcesses(options.use),
    claims: new EmbeddedClaims(options),
    names: new EmbeddedNames(options),
    outbox: new EmbeddedOutbox(options.use),
  });
}
