import type { Frame, StreamEnd } from '../types.ts';
import type { Piece } from './chunks.ts';
import { formatOffset } from './keys.ts';

/** What is kept for followers at the tail, and the newest. Whoever is further behind reads from disk. */
const MAX_FRAMES = 4;
const MAX_BYTES = 32_768;

/** Bytes of a frame at most, unless a follower asks for less: few enough for live reads to share it as it is. */
export const FRAME_BYTES = 8_192;

/** A reader at the tail of a stream. */
export interface StreamReader {
  /** Called when the stream has a new frame, or ended. */
  wake(): void;
}

interface LiveFrame {
  readonly start: number;
  readonly stop: number;
  /** The number of the commit that brought it. */
  readonly commit: number;
  readonly frame: Frame;
}

/** The last frames of a stream, which its followers share, and those that cannot be read from disk yet. */
export class LiveFrames {
  #frames: LiveFrame[] = [];
  #bytes = 0;

  /** Adds what one commit brought. Nothing came behind its last piece; if it closed the stream, `end` says how. */
  add(pieces: readonly Piece[], end: StreamEnd | undefined, commit: number): void {
    const last = pieces.at(-1);
    for (const piece of pieces) {
      for (let at = 0; at < piece.bytes.length; at += FRAME_BYTES) {
        const bytes = piece.bytes.subarray(at, at + FRAME_BYTES);
        const start = piece.start + at;
        const stop = start + bytes.length;
        const upToDate = piece === last && at + bytes.length === piece.bytes.length;
        const frame = { bytes, next: formatOffset(stop), upToDate, ...(upToDate && end && { end }) };
        this.#frames.push({ start, stop, commit, frame });
        this.#bytes += bytes.length;
      }
    }
  }

  /** Lets go of what is more than enough for followers, if there are any, and can be read from disk. */
  trim(hasFollowers: boolean, readable: number): void {
    const [frames, bytes] = hasFollowers ? [MAX_FRAMES, MAX_BYTES] : [0, 0];
    let drop = 0;
    for (const { commit, frame } of this.#frames) {
      const isNewest = drop === this.#frames.length - 1;
      const isEnough = this.#frames.length - drop <= frames && this.#bytes <= bytes;
      if (commit > readable || isEnough || (hasFollowers && isNewest)) break;
      this.#bytes -= frame.bytes.length;
      drop += 1;
    }
    if (drop > 0) this.#frames.splice(0, drop);
  }

  /** The frame that begins at a position, if it is no larger than that. */
  shared(position: number, maxBytes: number): LiveFrame | undefined {
    const found = this.#frames[this.#indexAt(position)];
    return found?.start === position && found.frame.bytes.length <= maxBytes ? found : undefined;
  }

  /** Where the first one begins that cannot be read from disk; infinity when all can. */
  unreadable(readable: number): number {
    let start = Number.POSITIVE_INFINITY;
    for (let i = this.#frames.length - 1; i >= 0; i -= 1) {
      const frame = this.#frames[i];
      if (!frame || frame.commit <= readable) break;
      start = frame.start;
    }
    return start;
  }

  /** Bytes from a position on that one of them holds. */
  bytes(position: number, maxBytes: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let left = maxBytes;
    for (let i = this.#indexAt(position); i < this.#frames.length && left > 0; i += 1) {
      const { start, frame } = this.#frames[i] as LiveFrame;
      const from = Math.max(0, position - start);
      const part = frame.bytes.subarray(from, from + left);
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  /** The last one that does not begin behind a position: as a rule the newest, where followers are. */
  #indexAt(position: number): number {
    let low = 0;
    let high = this.#frames.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#frames[middle] as LiveFrame).start <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
