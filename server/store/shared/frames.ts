import type { Frame, Offset } from '../types.ts';

/**
 * Maximum size of a frame in a live tail, in bytes. Live reads ask for the same size, so that all readers share a frame
 * and its encoding.
 */
export const FRAME_BYTES = 8_192;

/** Empty bytes, shared by frames that only carry an end. */
export const NO_BYTES = new Uint8Array(0);

/** Calculates with the offsets of one store, which are opaque to everything else. */
export interface OffsetArithmetic {
  /** Returns the offset that is `bytes` after `offset`. */
  after(offset: Offset, bytes: number): Offset;
  /** Returns the number of bytes between two offsets, or `undefined` if it is unknown. */
  between(from: Offset, to: Offset): number | undefined;
}

/**
 * Returns at most `maxBytes` of a frame, from `skip` bytes after its beginning.
 *
 * @param frame the frame that begins at `from`.
 * @param skip bytes to skip. Less than the frame's length, unless the frame is empty.
 * @returns the frame itself if all of it is requested.
 */
export function partOf(
  frame: Frame,
  from: Offset,
  { skip, maxBytes, offsets }: { skip: number; maxBytes: number; offsets: OffsetArithmetic },
): Frame {
  const stop = Math.min(skip + maxBytes, frame.bytes.length);
  if (stop < frame.bytes.length) {
    return { bytes: frame.bytes.subarray(skip, stop), next: offsets.after(from, stop), upToDate: false };
  }
  return skip === 0 ? frame : { ...frame, bytes: frame.bytes.subarray(skip) };
}
