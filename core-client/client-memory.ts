import type { Call } from './call.ts';
import type { MadeStream } from './made-stream.ts';
import type { ScopeKeys } from './scope.ts';

/** What a client has learned about its proxy. */
export interface ProxyTraits {
  /** True if the proxy ignores `Idempotency-Key`. A POST without a response is then not repeated: it may be paid for. */
  isPlain: boolean;
  /** Until this time (`Date.now()`), reads use long-poll, because a server in between buffers SSE. */
  pollUntil: number;
}

/** A create that calls for the same request share. */
export interface SharedCreate {
  readonly key: string;
  readonly made: Promise<MadeStream>;
  /** Value of `ClientMemory.calls` when the create settled. Undefined while it is in progress. */
  settledAt: number | undefined;
}

/** State that all calls of a client share. Clients of one proxy may share it too (`createDurableFetch`). */
export interface ClientMemory {
  readonly traits: ProxyTraits;
  /** Number of calls so far. It orders the start of a call and the end of a create. */
  calls: number;
  /**
   * Latest creates, by scope, request id and fingerprint. A call shares a create that was in progress when the call
   * started, also if the create has settled by the time the call has read its request.
   */
  readonly creates: Map<string, SharedCreate>;
  /**
   * Idempotency keys of creates without a known result, by scope and fingerprint: calls without a `requestId` that failed.
   * SDKs repeat such a call, which must not become a second upstream request.
   */
  readonly unsettled: Map<string, string>;
  /** What the storage refused, by its key there. */
  readonly refused: Map<string, string>;
  /** Calls that are not over. Their reads are paused while a stop waits for a connection. */
  readonly open: Set<Call>;
  readonly scopes: ScopeKeys;
}

/** Creates the memory of a client. */
export function createClientMemory(): ClientMemory {
  return {
    traits: { isPlain: false, pollUntil: 0 },
    calls: 0,
    creates: new Map(),
    unsettled: new Map(),
    refused: new Map(),
    open: new Set(),
    scopes: new Map(),
  };
}
