import { PENDING } from '../../protocol/control.ts';
import { OFFSET_NOW } from '../../protocol/query.ts';
import { matchesNone } from '../http/conditional.ts';
import type { Exchange } from '../http/exchange.ts';
import { respond } from '../http/response.ts';
import { LIVE_CACHE_CONTROL } from '../http/sse-headers.ts';
import { isPending } from '../store/metadata.ts';
import type { Offset, StreamInfo, StreamStore } from '../store/types.ts';
import { positionHeaders, readHeaders, STORED_CACHE_CONTROL, STREAM_CONTENT_TYPE } from './headers.ts';
import { infoAt } from './info-at.ts';
import type { ReadBudget } from './read-budget.ts';
import { readPiece } from './read-piece.ts';

export interface CatchUpOptions {
  readonly exchange: Pick<Exchange, 'req' | 'res' | 'streamId'>;
  readonly store: StreamStore;
  /** State of the stream before the read. */
  readonly info: StreamInfo;
  readonly offset: Offset;
  readonly budget: ReadBudget;
}

/**
 * Responds with the bytes from an offset, up to a limit.
 * @returns the number of bytes sent.
 */
export async function catchUp({
  exchange: { req, res, streamId },
  store,
  info,
  offset,
  budget,
}: CatchUpOptions): Promise<number> {
  if (offset === OFFSET_NOW) {
    respond(res, 200, {
      ...readHeaders(info),
      ...positionHeaders({ next: info.tail, upToDate: true, ...(info.end && { end: info.end }) }),
      'Content-Type': STREAM_CONTENT_TYPE,
      'Content-Length': 0,
      'Cache-Control': LIVE_CACHE_CONTROL,
    });
    return 0;
  }
  const frame = await budget.read(res, (maxBytes) => readPiece(store, streamId, offset, maxBytes));
  const known = await infoAt(store, streamId, info, frame);
  // Closing the stream and the arrival of the upstream's head change the response without a new byte, so they are part
  // of the ETag.
  const state = frame.end ? ':closed' : isPending(known.metadata) ? `:${PENDING}` : '';
  const etag = `"${streamId}:${offset}:${frame.next}${state}"`;
  const headers = {
    ...readHeaders(known),
    ...positionHeaders(frame),
    ETag: etag,
    'Cache-Control': STORED_CACHE_CONTROL,
  };
  if (matchesNone(req.headers['if-none-match'], etag)) {
    respond(res, 304, headers);
    return 0;
  }
  const body = { 'Content-Type': STREAM_CONTENT_TYPE, 'Content-Length': frame.bytes.length };
  respond(res, 200, { ...headers, ...body }, frame.bytes);
  return frame.bytes.length;
}
