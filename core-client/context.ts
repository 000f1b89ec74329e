import type { Call } from './call.ts';
import type { ClientMemory } from './client-memory.ts';
import type { CredentialStore } from './credentials.ts';
import type { ProxyClient } from './proxy-client.ts';
import type { Settings } from './settings.ts';

/** Dependencies shared by the steps of one call. */
export interface Context {
  readonly call: Call;
  readonly settings: Settings;
  readonly proxy: ProxyClient;
  readonly store: CredentialStore;
  readonly memory: ClientMemory;
  /** Value of `ClientMemory.calls` when the call started. */
  readonly startedAt: number;
}
