import type { DurableStreamError } from './errors.ts';
import type { PartReader } from './sse-reader.ts';
import type { StreamHandle } from './stream-handle.ts';

/** A stream to open: created, or found. */
export interface CreatedStream {
  readonly stream: StreamHandle;
  /** Reads the stream from its beginning, if the proxy sent it in the same response. */
  readonly reader?: PartReader | undefined;
  /** True if an earlier call created the stream. */
  readonly wasThere: boolean;
  /** The key that the stream was created with, if it is known. */
  readonly idempotencyKey?: string | undefined;
}

/** An error response of the upstream or the proxy, with its body in memory. */
export interface RefusedCreate {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ArrayBuffer;
  /** False if the upstream may be working on the request: the key must be kept. */
  readonly isFinal: boolean;
  /** The error of the proxy. Undefined if the upstream refused the request. */
  readonly error?: DurableStreamError;
}

/** Result of a create. */
export type CreateResult = CreatedStream | RefusedCreate;
