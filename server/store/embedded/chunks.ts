import type { Writes } from './operations.ts';
import { chunkKey, type Sid } from './keys.ts';

/**
 * Bytes up to which a chunk grows: some of them share a page of LMDB. Growing costs no more than adding
 * (LMDB writes whole pages), and a stream of many small appends ends up in few chunks, which makes it quick
 * to read and to remove. Larger ones leave more of each page empty.
 */
const GROWING_BYTES = 1000;
/** An append that is larger is stored in several. With LMDB's header it fills whole pages. */
const LARGEST_BYTES = 131_056;

/** Some bytes of a stream, in memory that nobody will write to again. */
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
 * Cuts a stream's appends into chunks. The last one grows in place: its buffer has room behind what was
 * committed, and only bytes that no commit and no reader knows are ever written to.
 */
export class ChunkWriter {
  readonly #sid: Sid;
  /** The position behind the last byte. */
  #tail: number;
  #growing: Growing | undefined;
  #committed: { tail: number; growing: Growing | undefined };

  constructor(sid: Sid, tail: number) {
    this.#sid = sid;
    this.#tail = tail;
    this.#committed = { tail, growing: undefined };
  }

  /** Puts bytes behind all others and gives what a reader may be shown once they are committed. */
  write(to: Writes, appends: readonly Uint8Array[]): Piece[] {
    const pieces: Piece[] = [];
    let growing = this.#growing;
    /** What this call adds to the growing chunk. */
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
        // Of its own, not of Node's pool: LMDB looks up the address of a buffer's memory once per memory.
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

  /** What was written is there. */
  commit(): void {
    this.#committed = { tail: this.#tail, growing: this.#growing };
  }

  /** What was written is not there: the next write takes its place. */
  rollback(): void {
    ({ tail: this.#tail, growing: this.#growing } = this.#committed);
  }
}
