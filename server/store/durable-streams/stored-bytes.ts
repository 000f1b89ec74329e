import type { FrameSource } from '../shared/tail-follower.ts';
import { type Frame, type Offset, StoreError } from '../types.ts';
import type { Backend } from './backend.ts';
import { CatchUp, type Piece } from './catch-up.ts';
import type { Metadata } from './meta.ts';

/** Maximum number of consecutive responses that end early without a byte. */
const MAX_BREAKS = 5;
/** Milliseconds before the first repetition. Each further one waits this much longer. */
const BREAK_PAUSE_MS = 50;

/**
 * Reads a stream from the backend for one reader. Each `fetch` continues the same response, at the reader's speed,
 * until the response ends or the reader requests another offset.
 */
export class StoredBytes implements FrameSource {
  readonly #backend: Backend;
  readonly #metadata: Metadata;
  readonly #id: string;
  #response: CatchUp | undefined;
  /** Offset of the next byte of the response. */
  #offset: Offset | undefined;
  /** Ends a request or a pause. Absent once `release` was called. */
  #stopping: AbortController | undefined;

  constructor(backend: Backend, metadata: Metadata, id: string) {
    this.#backend = backend;
    this.#metadata = metadata;
    this.#id = id;
  }

  /**
   * Requests the bytes from an offset ahead of `fetch`.
   * @throws StoreError `NOT_FOUND`, `INVALID_OFFSET`, or `UNAVAILABLE` after the retries.
   */
  async open(from: Offset): Promise<CatchUp> {
    this.release();
    const { signal } = (this.#stopping = new AbortController());
    const response = await CatchUp.open(this.#backend, this.#id, from, signal);
    if (signal.aborted) {
      response.destroy();
      throw stopped();
    }
    this.#offset = from;
    return (this.#response = response);
  }

  fetch(from: Offset, maxBytes: number): Frame | Promise<Frame> {
    const response = this.#responseAt(from);
    const piece = response?.take(maxBytes);
    if (!response || !piece || isStuck(response, piece, from)) return this.#fetch(from, maxBytes);
    return this.#frameOf(response, piece);
  }

  /** Returns as many bytes as one response contains, up to `maxBytes`. @throws StoreError */
  async read(from: Offset, maxBytes: number): Promise<Frame> {
    const parts: Uint8Array[] = [];
    let left = maxBytes;
    for (let at = from; ;) {
      const frame = await this.fetch(at, left);
      parts.push(frame.bytes);
      left -= frame.bytes.length;
      at = frame.next;
      if (left > 0 && this.#response) continue;
      return parts.length === 1 ? frame : { ...frame, bytes: Buffer.concat(parts) };
    }
  }

  release(): void {
    this.#stopping?.abort();
    this.#stopping = undefined;
    this.#response?.release();
    this.#response = undefined;
  }

  async #fetch(from: Offset, maxBytes: number): Promise<Frame> {
    for (let breaks = 1; ; breaks += 1) {
      const response = this.#responseAt(from) ?? (await this.open(from));
      const piece = await response.wait(maxBytes);
      if (piece && !isStuck(response, piece, from)) return this.#frameOf(response, piece);
      if (breaks > MAX_BREAKS) {
        const cause = response.failure ?? new Error('the backend returned no bytes and no tail');
        throw new StoreError('UNAVAILABLE', 'The Durable Streams backend ends its responses early', {
          cause,
        });
      }
      response.release();
      await this.#backend.pause(BREAK_PAUSE_MS * breaks, this.#stopping?.signal);
      if (!this.#stopping) throw stopped();
    }
  }

  #responseAt(from: Offset): CatchUp | undefined {
    return this.#offset === from && !this.#response?.failure ? this.#response : undefined;
  }

  #frameOf(response: CatchUp, { bytes, next, last }: Piece): Frame | Promise<Frame> {
    this.#offset = next;
    if (!last) return { bytes, next, upToDate: false };
    this.#response = undefined;
    if (!response.closed) return { bytes, next, upToDate: response.upToDate };
    return this.#metadata.storedEnd(this.#id).then((end) => ({ bytes, next, upToDate: true, end }));
  }
}

function stopped(): StoreError {
  return new StoreError('UNAVAILABLE', 'The read was stopped');
}

/** Returns true if a response contained no bytes although the reader is not at the tail. */
function isStuck(response: CatchUp, { bytes, next, last }: Piece, from: Offset): boolean {
  if (!last || bytes.length > 0 || response.closed || next !== from) return false;
  return !response.upToDate || response.next !== from;
}
