import type { ServerResponse } from 'node:http';
import { isClosed } from '../http/response.ts';
import type { Frame } from '../store/types.ts';

/** Every read may return this much (READ-11), whatever is free. */
const MIN_READ_BYTES = 65_536;
/** Part of the free bytes that one read may take. The rest is for others. */
const SHARE = 1 / 4;

export interface ReadBudgetOptions {
  /** Bytes of responses that are held for clients, in this process. */
  readonly maxReadBufferBytes: number;
  /** Most bytes of one response. */
  readonly maxReadBytes: number;
}

/**
 * Bounds the memory of catch-up and long-poll responses. Their bytes are held until the client has taken them, or has
 * stalled for `readerStallTimeoutMs`. When little is free, responses get smaller, down to 64 KiB, so that no read waits
 * for another one.
 */
export class ReadBudget {
  readonly #maxReadBytes: number;
  #freeBytes: number;

  constructor({ maxReadBufferBytes, maxReadBytes }: ReadBudgetOptions) {
    this.#maxReadBytes = maxReadBytes;
    this.#freeBytes = maxReadBufferBytes;
  }

  /** Reads for a response, and counts its bytes until the response is closed. */
  async read(res: ServerResponse, read: (maxBytes: number) => Promise<Frame>): Promise<Frame> {
    const maxBytes = Math.min(
      this.#maxReadBytes,
      Math.max(MIN_READ_BYTES, Math.floor(this.#freeBytes * SHARE)),
    );
    let held = maxBytes;
    this.#freeBytes -= held;
    const release = (): void => {
      this.#freeBytes += held;
      held = 0;
    };
    try {
      const frame = await read(maxBytes);
      this.#freeBytes += held - frame.bytes.length;
      held = frame.bytes.length;
      if (isClosed(res)) release();
      else res.once('close', release);
      return frame;
    } catch (error) {
      release();
      throw error;
    }
  }
}
