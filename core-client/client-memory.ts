import type { MadeStream } from './create.ts';
import type { StreamLink } from './stream-link.ts';

/** What a client has learned about its proxy. */
export interface ProxyTraits {
  /** True if the proxy ignores `Idempotency-Key`. A POST without a response is then not repeated: it may be paid for. */
  isPlain: boolean;
  /** Until this time (`Date.now()`), reads use long-poll, because a server in between buffers SSE. */
  pollUntil: number;
}

/** State that all calls of a client share. Clients of one proxy may share it too (`createDurableFetch`). */
export interface ClientMemory {
  readonly traits: ProxyTraits;
  /** Creates in progress, by idempotency key and fingerprint. Calls for the same request share one. */
  readonly creates: Map<string, Promise<MadeStream>>;
  /**
   * Idempotency keys of creates without a known result, by fingerprint: calls without a `requestId` that failed.
   * SDKs repeat such a call, which must not become a second upstream request.
   */
  readonly unsettled: Map<string, string>;
  /** Open reads. They give up their connection while a stop waits for one. */
  readonly links: Set<StreamLink>;
}

/** Creates the memory of a client. */
export function createClientMemory(): ClientMemory {
  return {
    traits: { isPlain: false, pollUntil: 0 },
    creates: new Map(),
    unsettled: new Map(),
    links: new Set(),
  };
}
