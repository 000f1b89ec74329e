import type { Frame, StreamEnd } from '../types.ts';
import type { Piece } from './chunks.ts';
import { formatOffset } from './keys.ts';

/** What is kept for followers at the tail. Whoever is further behind reads from disk. */
const MAX_FRAMES = 64;
const MAX_BYTES = 32_768;

/** Bytes of a frame at most, unless a follower asks for less. */
export const FRAME_BYTES = 65_536;

interface LiveFrame {
  readonly start: number;
  readonly stop: number;
  readonly frame: Frame;
}

/** The last frames of a stream that has followers, which all of them share. The newest is always there. */
export class LiveFrames {
  #frames: LiveFrame[] = [];
  #bytes = 0;

  /** Where the first of them begins, or infinity. */
  get start(): number {
    return this.#frames[0]?.start ?? Number.POSITIVE_INFINITY;
  }

  /** Adds what one commit brought. Nothing came behind its last piece; if it closed the stream, `end` says how. */
  add(pieces: readonly Piece[], end: StreamEnd | undefined): void {
    const last = pieces.at(-1);
    for (const piece of pieces) {
      for (let at = 0; at < piece.bytes.length; at += FRAME_BYTES) {
        const bytes = piece.bytes.subarray(at, at + FRAME_BYTES);
        const start = piece.start + at;
        const stop = start + bytes.length;
        const upToDate = piece === last && at + bytes.length === piece.bytes.length;
        const frame = { bytes, next: formatOffset(stop), upToDate, ...(upToDate && end && { end }) };
        this.#frames.push({ start, stop, frame });
        this.#bytes += bytes.length;
      }
    }
    while (this.#frames.length > 1 && (this.#frames.length > MAX_FRAMES || this.#bytes > MAX_BYTES)) {
      this.#bytes -= this.#frames.shift()!.frame.bytes.length;
    }
  }

  clear(): void {
    this.#frames = [];
    this.#bytes = 0;
  }

  /** The frame at a position that is not before `start`: the shared one, or a part of it. */
  at(position: number, maxBytes: number): LiveFrame {
    // Followers are at the newest frame as a rule.
    let i = this.#frames.length - 1;
    while (this.#frames[i]!.start > position) i -= 1;
    const found = this.#frames[i]!;
    const { start, frame } = found;
    if (start === position && frame.bytes.length <= maxBytes) return found;
    const bytes = frame.bytes.subarray(position - start, position - start + maxBytes);
    const stop = position + bytes.length;
    if (stop === found.stop) return { start: position, stop, frame: { ...frame, bytes } };
    return { start: position, stop, frame: { bytes, next: formatOffset(stop), upToDate: false } };
  }
}
