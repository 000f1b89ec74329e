import type { DurableStreamError } from './errors.ts';
import type { SseReader } from './reader.ts';
import type { StreamHandle } from './stream-handle.ts';

export interface Created {
  readonly handle: StreamHandle;
  /** The stream from its beginning, if the proxy sent it in the same response. */
  readonly reader: SseReader | undefined;
  /** True if an earlier call created the stream. */
  readonly wasThere: boolean;
}

/** An error response of the upstream or the proxy, with its body in memory. */
export interface Refused {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ArrayBuffer;
  /** False if the upstream may be working on the request: the key must be kept. */
  readonly isSettled: boolean;
  /** The error of the proxy. Undefined if the upstream refused the request. */
  readonly error?: DurableStreamError;
}

export type MadeStream = Created | Refused;
