import type { ServerResponse } from 'node:http';
import { OFFSET, OFFSET_START } from '../../../protocol/query.ts';
import type { Context } from '../../context.ts';
import { singleParam } from '../../http/exchange.ts';
import { isClosed, respond } from '../../http/response.ts';
import { positionHeaders } from '../../read/headers.ts';
import { readPiece } from '../../read/read-piece.ts';
import { followUntil } from '../../store/log.ts';
import type { Frame } from '../../store/types.ts';

/** Maximum bytes of one response. */
const PIECE_BYTES = 262_144;
/** Milliseconds that a request waits for new bytes. */
const WAIT_MS = 10_000;

/**
 * Responds with the bytes of an answer from an offset, and waits for bytes if there are none. The request does not
 * count as a reader, so it does not keep an answer running that has no reader.
 */
export async function answerText(
  res: ServerResponse,
  query: URLSearchParams,
  streamId: string,
  { store }: Context,
): Promise<void> {
  const offset = singleParam(query, OFFSET) ?? OFFSET_START;
  let frame: Frame = await readPiece(store, streamId, offset, PIECE_BYTES);
  if (frame.bytes.length === 0 && !frame.end && (await hasMore(res, streamId, offset, store)))
    frame = await readPiece(store, streamId, offset, PIECE_BYTES);
  respond(
    res,
    200,
    {
      ...positionHeaders(frame),
      // Never HTML, whatever media type the upstream sent.
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': frame.bytes.length,
    },
    frame.bytes,
  );
}

/**
 * Resolves with true when there are new bytes or an end, and with false after `WAIT_MS` or when the client
 * disconnects.
 */
async function hasMore(
  res: ServerResponse,
  streamId: string,
  offset: string,
  store: Context['store'],
): Promise<boolean> {
  const leaving = new AbortController();
  const timer = setTimeout(() => leaving.abort(), WAIT_MS);
  const onClose = () => leaving.abort();
  res.once('close', onClose);
  try {
    if (isClosed(res)) return false;
    await followUntil(store, streamId, () => true, { signal: leaving.signal, offset });
    return true;
  } catch (error) {
    if (leaving.signal.aborted) return false;
    throw error;
  } finally {
    clearTimeout(timer);
    res.off('close', onClose);
  }
}
