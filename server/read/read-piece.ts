import type { Frame, Offset, StreamStore } from '../store/types.ts';

/**
 * Reads everything from an offset up to the tail, or up to `maxBytes`. A read of a store may return less, such as one
 * chunk of a live stream.
 */
export async function readPiece(
  store: StreamStore,
  streamId: string,
  offset: Offset,
  maxBytes: number,
): Promise<Frame> {
  let frame = await store.read(streamId, offset, maxBytes);
  const parts = [frame.bytes];
  let size = frame.bytes.length;
  while (!frame.upToDate && size < maxBytes && frame.bytes.length > 0) {
    frame = await store.read(streamId, frame.next, maxBytes - size);
    parts.push(frame.bytes);
    size += frame.bytes.length;
  }
  return parts.length === 1 ? frame : { ...frame, bytes: Buffer.concat(parts, size) };
}
