import type { Call } from './call.ts';
import type { ClientMemory } from './client-memory.ts';
import type { ProxyClient } from './proxy-client.ts';
import type { RecordHandle, RecordStore } from './request-records.ts';
import type { Settings } from './settings.ts';

/** Dependencies shared by the steps of one call. */
export interface CallContext {
  readonly call: Call;
  readonly settings: Settings;
  readonly proxy: ProxyClient;
  readonly records: RecordStore;
  readonly memory: ClientMemory;
  /** Value of `ClientMemory.calls` when the call started. */
  readonly startedAt: number;
  /** Called once the record of the request is stored. */
  readonly onStored?: ((record: RecordHandle) => void) | undefined;
}
