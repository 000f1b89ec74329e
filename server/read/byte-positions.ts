import { OFFSET_START } from '../../protocol/query.ts';
import { StoreError, type Offset, type StreamInfo, type StreamStore } from '../store/types.ts';

/** Maximum number of closed streams whose sizes are cached. */
const MAX_REMEMBERED = 1_000;
/** Bytes of one piece, which is the memory that a stalled client occupies. Used only for stores with cheap reads. */
const PIECE_BYTES = 65_536;

/**
 * Translates between byte positions and offsets. If the store's offsets are opaque, it counts bytes by reading, and
 * caches the sizes of closed streams.
 */
export class BytePositions {
  readonly #store: StreamStore;
  /** Maximum bytes of one read that counts bytes, and of each read of a store with opaque offsets. */
  readonly #maxBytes: number;
  readonly #sizes = new Map<string, number>();

  constructor(store: StreamStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  /** Resolves with the number of bytes before the tail of `info`. @throws StoreError */
  async size(id: string, info: StreamInfo): Promise<number> {
    const known = this.#store.positionOf?.(info.tail) ?? this.#sizes.get(id);
    if (known !== undefined) return known;
    let size = 0;
    for (let offset: Offset = OFFSET_START; offset !== info.tail;) {
      const frame = await this.#store.read(id, offset, this.#maxBytes);
      if (frame.bytes.length === 0) break;
      size += frame.bytes.length;
      offset = frame.next;
    }
    if (info.end) {
      this.#sizes.set(id, size);
      if (this.#sizes.size > MAX_REMEMBERED) this.#sizes.delete(this.#sizes.keys().next().value!);
    }
    return size;
  }

  /** Reads `length` bytes from a position, in pieces. @throws StoreError if the store fails or the stream ends before. */
  async *read(id: string, position: number, length: number): AsyncGenerator<Uint8Array> {
    const store = this.#store;
    let offset = (position > 0 && store.offsetAt?.(position)) || OFFSET_START;
    let skip = offset === OFFSET_START ? position : 0;
    let left = length;
    // With opaque offsets, each read is a request to another server, which sends all remaining bytes.
    const pieceBytes = store.offsetAt ? PIECE_BYTES : this.#maxBytes;
    while (left > 0) {
      const frame = await store.read(
        id,
        offset,
        skip > 0 ? Math.min(skip, this.#maxBytes) : Math.min(left, pieceBytes),
      );
      if (frame.bytes.length === 0)
        throw new StoreError('UNAVAILABLE', 'The stream has fewer bytes than before');
      offset = frame.next;
      if (skip > 0) {
        skip -= frame.bytes.length;
        continue;
      }
      left -= frame.bytes.length;
      yield frame.bytes;
    }
  }
}
