import type { Disk } from './disk.ts';
import { chunkKey, type Sid } from './keys.ts';

/**
 * Bytes up to which a chunk grows: two of them fill a page of LMDB, and larger ones would lie outside their
 * page. Growing costs no more than adding (LMDB writes whole pages), and a stream of many small appends ends
 * up in few chunks, which makes it quick to read and to remove.
 */
const GROWING_BYTES = 2000;
/** An append that is larger is stored in several. With LMDB's header it fills whole pages. */
const LARGEST_BYTES = 131_056;

/** Some bytes of a stream, in memory that nobody will write to again. */
export interface Piece {
  readonly start: number;
  bytes: Buffer;
}

/**
 * Cuts a stream's appends into chunks. The last chunk grows in place: `growing` has room behind what was
 * committed, and only bytes that no commit and no reader knows are ever written to.
 */
export class ChunkWriter {
  readonly #sid: Sid;
  #growing: Buffer | undefined;
  /** Where the growing chunk begins. */
  #start: number;
  /** Bytes in the growing chunk. */
  #length = 0;
  #committed: { growing: Buffer | undefined; start: number; length: number };

  constructor(sid: Sid, tail: number) {
    this.#sid = sid;
    this.#start = tail;
    this.#committed = { growing: undefined, start: tail, length: 0 };
  }

  /** Puts bytes behind all others and gives what a reader may be shown once they are committed. */
  write(disk: Disk, appends: readonly Uint8Array[]): Piece[] {
    const pieces: Piece[] = [];
    let grown = false;
    const putGrown = (): void => {
      if (grown) disk.put(chunkKey(this.#sid, this.#start), this.#growing!.subarray(0, this.#length));
      grown = false;
    };
    for (const bytes of appends) {
      if (bytes.length > GROWING_BYTES) {
        putGrown();
        this.#begin(undefined);
        for (let at = 0; at < bytes.length; at += LARGEST_BYTES) {
          const piece = { start: this.#start, bytes: Buffer.from(bytes.subarray(at, at + LARGEST_BYTES)) };
          disk.put(chunkKey(this.#sid, piece.start), piece.bytes);
          pieces.push(piece);
          this.#start += piece.bytes.length;
        }
        continue;
      }
      if (!this.#growing || this.#length + bytes.length > GROWING_BYTES) {
        putGrown();
        // Of its own, not from Node's pool: LMDB looks up the address of a buffer's memory once per memory.
        this.#begin(Buffer.allocUnsafeSlow(GROWING_BYTES));
      }
      const growing = this.#growing!;
      const from = this.#length;
      growing.set(bytes, from);
      this.#length += bytes.length;
      const last = pieces.at(-1);
      if (grown && last) last.bytes = growing.subarray(last.start - this.#start, this.#length);
      else pieces.push({ start: this.#start + from, bytes: growing.subarray(from, this.#length) });
      grown = true;
    }
    putGrown();
    return pieces;
  }

  #begin(growing: Buffer | undefined): void {
    this.#start += this.#length;
    this.#length = 0;
    this.#growing = growing;
  }

  /** What was written is there. */
  commit(): void {
    this.#committed = { growing: this.#growing, start: this.#start, length: this.#length };
  }

  /** What was written is not there: the next write takes its place. */
  rollback(): void {
    ({ growing: this.#growing, start: this.#start, length: this.#length } = this.#committed);
  }
}
