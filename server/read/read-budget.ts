import type { ServerResponse } from 'node:http';
import { isClosed } from '../http/response.ts';
import type { Frame } from '../store/types.ts';

/** Bytes that every read may return (READ-11), however few are free. */
const MIN_READ_BYTES = 65_536;
/** Part of the free bytes that one read may use. */
const SHARE = 1 / 4;

export interface ReadBudgetOptions {
  /** Bytes of responses that are buffered for clients in this process. */
  readonly maxReadBufferBytes: number;
  /** Maximum bytes of one response. */
  readonly maxReadBytes: number;
}

/**
 * Limits the memory of catch-up and long-poll responses. Their bytes are buffered until the client has received them or
 * has stalled for `readerStallTimeoutMs`. When few bytes are free, responses get smaller, down to 64 KiB, so that no
 * read has to wait for another one.
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
