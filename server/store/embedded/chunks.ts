import type { Writes } from './operations.ts';
import { chunkKey, type Sid } from './keys.ts';

/**
 * Bytes up to which a chunk grows. Several chunks of this size share an LMDB page. Growing a chunk costs no more than
 * adding one (LMDB writes whole pages), and a stream of many small appends is stored in few chunks, which are quick to
 * read and to remove. Larger chunks would leave more of each page empty.
 */
const GROWING_BYTES = 1000;
/**
 * Maximum size of a chunk. A larger append is stored in several chunks. Including LMDB's header, a chunk of this size
 * fills whole pages.
 */
const LARGEST_BYTES = 131_056;

/** Bytes of a stream, in memory that is not written to again. */
export interface Piece {
  readonly start: number;
  bytes: Buffer;
}

/** The last chunk, while small appends go into it. */
interface Growing {
  readonly buffer: Buffer;
  readonly start: number;
  readonly length: number;
}

/**
 * Splits a stream's appends into chunks. The last one grows in place: its buffer has space after the committed bytes,
 * and only bytes that no commit and no reader has seen are overwritten.
 */
export class ChunkWriter {
  readonly #sid: Sid;
  /** The position after the last byte. */
  #tail: number;
  #growing: Growing | undefined;
  #committed: { tail: number; growing: Growing | undefined };

  constructor(sid: Sid, tail: number) {
    this.#sid = sid;
    this.#tail = tail;
    this.#committed = { tail, growing: undefined };
  }

  /** Appends bytes, and returns the bytes that readers may see once they are committed. */
  write(to: Writes, appends: readonly Uint8Array[]): Piece[] {
    const pieces: Piece[] = [];
    let growing = this.#growing;
    /** Bytes that this call adds to the growing chunk. */
    let grown: Piece | undefined;
    const put = (): void => {
      if (growing && grown) {
        to.put(chunkKey(this.#sid, growing.start), growing.buffer.subarray(0, growing.length));
      }
      grown = undefined;
    };
    for (const bytes of appends) {
      if (bytes.length > GROWING_BYTES) {
        put();
        growing = undefined;
        for (let at = 0; at < bytes.length; at += LARGEST_BYTES) {
          const piece = { start: this.#tail, bytes: Buffer.from(bytes.subarray(at, at + LARGEST_BYTES)) };
          to.put(chunkKey(this.#sid, piece.start), piece.bytes);
          pieces.push(piece);
          this.#tail += piece.bytes.length;
        }
        continue;
      }
      if (!growing || growing.length + bytes.length > GROWING_BYTES) {
        put();
        // Not from Node's buffer pool: LMDB looks up the address of each ArrayBuffer once.
        growing = { buffer: Buffer.allocUnsafeSlow(GROWING_BYTES), start: this.#tail, length: 0 };
      }
      const { buffer, start, length } = growing;
      buffer.set(bytes, length);
      growing = { buffer, start, length: length + bytes.length };
      if (grown) {
        grown.bytes = buffer.subarray(grown.start - start, growing.length);
      } else {
        grown = { start: this.#tail, bytes: buffer.subarray(length, growing.length) };
        pieces.push(grown);
      }
      this.#tail += bytes.length;
    }
    put();
    this.#growing = growing;
    return pieces;
  }

  /** Called when the write is committed. */
  commit(): void {
    this.#committed = { tail: this.#tail, growing: this.#growing };
  }

  /** Called when the write has failed: the next write replaces it. */
  rollback(): void {
    ({ tail: this.#tail, growing: this.#growing } = this.#committed);
  }
}
