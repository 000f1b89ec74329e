import type { Frame, Offset, StreamStore } from '../store/types.ts';

/**
 * Everything from an offset up to the tail, or `maxBytes` of it. A store gives what it has at hand, which on a
 * live stream may be a chunk at a time; who reads once wants the whole.
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
