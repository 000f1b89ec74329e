import { ACTION, ACTION_ABORT } from '../../protocol/query.ts';
import type { Context } from '../context.ts';
import { requestAborted } from '../create/claims.ts';
import { ProxyError } from '../shared/errors.ts';
import { singleParam, type Exchange } from '../http/exchange.ts';
import { respond } from '../http/response.ts';
import { INTERRUPTED } from '../store/interrupted.ts';
import { followUntil } from '../store/log.ts';
import { metadataOf } from '../store/metadata.ts';
import { StoreError, type StreamEnd, type StreamInfo } from '../store/types.ts';

const ABORTED: StreamEnd = Object.freeze({
  outcome: 'aborted',
  error: Object.freeze({ code: 'ABORTED', message: 'The answer was stopped' }),
});

/** Milliseconds to wait until another process has flushed and closed a stream. After that, this process closes it. */
const OTHERS_CLOSE_MS = 1_000;

/** Handles PATCH {base}/{id}?action=abort. Idempotent: responds 204 when the stream is closed. */
export async function abortStream({ res, query, streamId }: Exchange, context: Context): Promise<void> {
  requireAbort(query);
  const info = await context.store.head(streamId);
  if (info && !info.end) {
    await stopUpstream(streamId, info, context);
    context.emit({ type: 'aborted', streamId, subject: metadataOf(info).subject, by: 'patch' });
  }
  respond(res, 204, {});
}

/** @throws ProxyError `INVALID_ACTION` unless the query has `action=abort`. */
export function requireAbort(query: URLSearchParams): void {
  if (singleParam(query, ACTION) === ACTION_ABORT) return;
  throw new ProxyError('INVALID_ACTION', `The action must be ?${ACTION}=${ACTION_ABORT}`);
}

/**
 * Ends a stream in the process that runs it: here by its pump, elsewhere by a message to that process. If that process
 * does not react in time, it finds its stream closed at the next write. The stream of a dead process is closed as
 * interrupted, not as aborted.
 */
export async function stopUpstream(streamId: string, info: StreamInfo, context: Context): Promise<void> {
  const { running, processes, peers, closer } = context;
  const pump = running.get(streamId);
  if (pump) {
    await pump.stop(ABORTED);
    // Its log, which may be deleted next, contains the requests that stop the upstream.
    await context.recoveries.prepared(streamId);
    return;
  }
  const { owner } = metadataOf(info);
  const asked = owner !== processes.id && (await peers.askToAbort(owner, streamId));
  if (asked && (await closesWithin(OTHERS_CLOSE_MS, streamId, info, context))) return;
  try {
    const recoverable = context.recoveries.find(streamId, info.metadata);
    if (recoverable) await context.recoveries.forget(streamId, ABORTED);
    await closer.closeFor(streamId, info, asked || recoverable ? ABORTED : INTERRUPTED);
    // The process that ran the stream is dead or does not react.
    if (recoverable) context.recoveries.stopped(recoverable, ABORTED);
    await context.recoveries.prepared(streamId);
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'NOT_FOUND')) throw error;
  }
}

async function closesWithin(
  ms: number,
  streamId: string,
  info: StreamInfo,
  { store }: Context,
): Promise<boolean> {
  const limit = AbortSignal.timeout(ms);
  try {
    return (await followUntil(store, streamId, limit, () => false, info.tail)) !== undefined;
  } catch (error) {
    if (limit.aborted) return false;
    if (error instanceof StoreError && error.code === 'NOT_FOUND') return true;
    throw error;
  }
}

/** Aborts a stream that this process pumps, or the create of one that does not exist yet. */
export function abortHere(streamId: string, { running }: Pick<Context, 'running'>): void {
  void running.get(streamId)?.stop(ABORTED);
  running.cancel(streamId, requestAborted());
}
