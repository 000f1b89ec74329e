import { STREAM_CURSOR } from '../../protocol/headers.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Offset, StreamStore } from '../store/types.ts';
import { isClosed, respond } from '../http/response.ts';
import { LIVE_CACHE_CONTROL } from '../http/sse-headers.ts';
import { nextCursor } from './cursor.ts';
import { infoAt } from './info-at.ts';
import type { ReadBudget } from './read-budget.ts';
import { readPiece } from './read-piece.ts';
import { positionHeaders, readHeaders, STREAM_CONTENT_TYPE } from './headers.ts';

/** Maximum bytes taken from the live tail. If there are more, all are read from the store at once. */
const FRAME_BYTES = 65_536;

export interface LongPollOptions {
  readonly exchange: Pick<Exchange, 'res' | 'streamId'>;
  readonly store: StreamStore;
  readonly offset: Offset;
  readonly timeoutMs: number;
  readonly budget: ReadBudget;
  readonly cursor: string | undefined;
}

/**
 * Responds with the bytes after an offset as soon as there are any, or 204 at the timeout. The wait also ends when the
 * upstream's head becomes known.
 */
export async function longPoll({
  exchange: { res, streamId },
  store,
  offset,
  timeoutMs,
  budget,
  cursor,
}: LongPollOptions): Promise<number> {
  let wake: () => void = () => undefined;
  const readable = new Promise<void>((resolve) => (wake = resolve));
  const follower = await store.follow(streamId, offset, wake, FRAME_BYTES);
  const timer = setTimeout(wake, timeoutMs);
  res.once('close', wake);
  try {
    if (isClosed(res)) return 0;
    let frame = follower.next();
    if (!frame) {
      await readable;
      if (isClosed(res)) return 0;
      frame = follower.next();
    }
    // Reads from the store if there is no frame, to find the reader's position (the offset may be "-1"), or if there
    // are more bytes than one frame contains.
    if (!frame || (!frame.end && follower.next())) {
      frame = await budget.read(res, (maxBytes) => readPiece(store, streamId, offset, maxBytes));
    }
    const { contentType } = follower.info;
    const info = await infoAt(store, streamId, { contentType, metadata: follower.metadata }, frame);
    const headers = {
      ...readHeaders({ ...info, ...(frame.end && { end: frame.end }) }),
      ...positionHeaders(frame),
      ...(!frame.end && { [STREAM_CURSOR]: nextCursor(cursor) }),
      'Cache-Control': LIVE_CACHE_CONTROL,
    };
    const { bytes } = frame;
    if (bytes.length === 0) {
      respond(res, 204, headers);
      return 0;
    }
    const length = { 'Content-Length': bytes.length };
    respond(res, 200, { ...headers, 'Content-Type': STREAM_CONTENT_TYPE, ...length }, bytes);
    return bytes.length;
  } finally {
    clearTimeout(timer);
    res.off('close', wake);
    follower.stop();
  }
}
