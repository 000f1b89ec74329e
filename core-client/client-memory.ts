import type { Call } from './call.ts';
import type { CreateResult } from './create-result.ts';
import type { RecordHandle, RecordMemory } from './request-records.ts';
import type { ScopeKeys } from './scope.ts';
import type { StorageLike } from './types.ts';

/** A create that calls for the same request share. */
export interface SharedCreate {
  readonly result: Promise<CreateResult>;
  /** Value of `ClientMemory.calls` when the create ended. Infinity while it is in progress. */
  endedAt: number;
}

/** A read that can give up its connection for a while: browsers open six connections to one origin over HTTP/1.1. */
export interface PausableRead {
  /** Closes the connection, and opens the next one when the promise has settled. */
  pause(until: Promise<unknown>): void;
}

/** State that all calls of a client share. Clients of one proxy may share it too (`createDurableFetch`). */
export interface ClientMemory {
  /** True if the proxy ignores `Idempotency-Key`. A POST without a response is then not repeated: it may be paid for. */
  isPlain: boolean;
  /** Until this time (`Date.now()`), reads use long-poll, because a server in between buffers SSE. */
  pollUntil: number;
  /** Number of calls so far. It orders the start of a call and the end of a create. */
  calls: number;
  /**
   * Latest creates, by scope, request id and fingerprint. A call shares a create that was in progress when the call
   * started, even if the create has ended by the time the call has read its request.
   */
  readonly creates: Map<string, SharedCreate>;
  /**
   * Idempotency keys of creates without a known result, by scope and fingerprint: calls without a `requestId` that failed.
   * SDKs repeat such a call, which must not become a second upstream request.
   */
  readonly unsettled: Map<string, readonly string[]>;
  /**
   * By request id, the newest call without a response. Resolves once the record of its request is stored, or without a
   * record if the call is over.
   */
  readonly sending: Map<string | undefined, Promise<RecordHandle | undefined>>;
  /** Storages, besides that of the client, with items of the same users. */
  readonly storages: readonly StorageLike[];
  readonly records: RecordMemory;
  /** Number of times that a user's data was removed. */
  forgets: number;
  /** Calls that are not over, with the prefix of their scope in the storage. Undefined until the scope is known. */
  readonly open: Map<Call, string | undefined>;
  /** Reads that are not over. They are paused while a stop waits for a connection. */
  readonly reads: Set<PausableRead>;
  readonly scopes: ScopeKeys;
}

/** Creates the memory of a client. */
export function createClientMemory(storages: readonly StorageLike[] = []): ClientMemory {
  return {
    isPlain: false,
    pollUntil: 0,
    calls: 0,
    creates: new Map(),
    unsettled: new Map(),
    sending: new Map(),
    storages,
    records: { refused: new Map(), pending: new Map() },
    forgets: 0,
    open: new Map(),
    reads: new Set(),
    scopes: new Map(),
  };
}
