import { CONTROL_EVENT, DATA_EVENT, type ControlEvent } from '../../protocol/control.ts';
import type { Frame } from '../store/types.ts';

export const KEEP_ALIVE = Buffer.from(':\n\n');

/** A control event, which follows every data event and says where the reader is now. */
export function controlEvent(frame: Pick<Frame, 'next' | 'upToDate' | 'end'>, cursor: string): Buffer {
  const { next, upToDate, end } = frame;
  const event: ControlEvent = {
    streamNextOffset: next,
    ...(!end && { streamCursor: cursor }),
    ...(upToDate && { upToDate: true }),
    ...(end && {
      streamClosed: true,
      upstreamOutcome: end.outcome,
      ...(end.error && { upstreamError: end.error }),
    }),
  };
  return Buffer.from(`event: ${CONTROL_EVENT}\ndata: ${JSON.stringify(event)}\n\n`);
}

/**
 * Frames as SSE, each encoded once for all its readers: frames of a live tail are the same objects for all of
 * them, and the encoding goes when the frame does.
 */
export class SseEncoder {
  readonly #encoded = new WeakMap<Frame, { cursor: string; upToDate: boolean; bytes: Buffer }>();

  /** @param upToDate whether nothing comes behind the frame now; its own word is of when it was made. */
  encode(frame: Frame, cursor: string, upToDate: boolean): Buffer {
    const known = this.#encoded.get(frame);
    if (known?.cursor === cursor && known.upToDate === upToDate) return known.bytes;
    const control = controlEvent({ ...frame, upToDate }, cursor);
    const bytes = frame.bytes.length === 0 ? control : Buffer.concat([dataEvent(frame.bytes), control]);
    this.#encoded.set(frame, { cursor, upToDate, bytes });
    return bytes;
  }
}

/** Base64 is the one encoding in which SSE is exact: a text frame can carry neither CR nor half a character. */
function dataEvent(bytes: Uint8Array): Buffer {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return Buffer.from(`event: ${DATA_EVENT}\ndata: ${base64}\n\n`, 'latin1');
}
