import { ACTION, ACTION_ABORT } from '../../protocol/query.ts';
import type { Context } from '../context.ts';
import { requestAborted } from '../create/claims.ts';
import { ProxyError } from '../shared/errors.ts';
import { singleParam, type Exchange } from '../http/exchange.ts';
import { respond } from '../http/response.ts';
import { INTERRUPTED } from '../store/interrupted.ts';
import { followUntil } from '../store/log.ts';
import { metadataOf } from '../store/metadata.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StreamEnd, StreamInfo } from '../store/types.ts';

const ABORTED: StreamEnd = Object.freeze({
  outcome: 'aborted',
  error: Object.freeze({ code: 'ABORTED', message: 'The answer was stopped' }),
});

/** Milliseconds to wait until another process has flushed and closed a stream. After that, this process closes it. */
const OTHERS_CLOSE_MS = 1_000;

/** Dependencies for ending a stream. */
export type StopContext = Pick<
  Context,
  'store' | 'running' | 'processes' | 'peers' | 'closer' | 'recoveries'
>;

/** Dependencies for ending a stream and emitting its event. */
export type AbortContext = StopContext & Pick<Context, 'emit'>;

/** Handles PATCH {base}/{id}?action=abort. Idempotent: responds 204 when the stream is closed. */
export async function abortStream({ res, query, streamId }: Exchange, context: AbortContext): Promise<void> {
  requireAbort(query);
  await stopStream(streamId, context);
  respond(res, 204, {});
}

/** Stops a running stream, in whichever process it runs. Idempotent. */
export async function stopStream(streamId: string, context: AbortContext): Promise<void> {
  const info = await context.store.head(streamId);
  if (!info || info.end) return;
  await stopUpstream(streamId, info, context);
  context.emit({ type: 'aborted', streamId, subject: metadataOf(info).subject, by: 'patch' });
}

/** @throws ProxyError `INVALID_ACTION` unless the query has `action=abort`. */
export function requireAbort(query: URLSearchParams): void {
  if (singleParam(query, ACTION) === ACTION_ABORT) return;
  throw new ProxyError('INVALID_ACTION', `The action must be ?${ACTION}=${ACTION_ABORT}`);
}

/**
 * Ends a stream in the process that runs it: here by its pump, elsewhere by a message to that process. If that
 * process does not react in time, this one closes the stream, which the other process detects at its next write. The
 * stream of a dead process is closed as `interrupted` instead of `aborted`, unless it could have been continued.
 */
export async function stopUpstream(streamId: string, info: StreamInfo, context: StopContext): Promise<void> {
  const { running, processes, peers, closer, recoveries } = context;
  const pump = running.get(streamId);
  if (pump) {
    await pump.stop(ABORTED);
    // The caller may delete the stream next, and its log is needed to prepare the request that stops the upstream.
    await recoveries.prepared(streamId);
    return;
  }
  // The store has the stream, but its create is not complete. It fails, and deletes the stream.
  if (running.cancel(streamId, requestAborted())) return;
  const { owner } = metadataOf(info);
  const asked = owner !== processes.id && (await peers.askToAbort(owner, streamId));
  if (asked && (await closesWithin(OTHERS_CLOSE_MS, streamId, info, context))) return;
  try {
    const recoverable = recoveries.find(streamId, info.metadata);
    if (recoverable) await recoveries.storeEnd(streamId, ABORTED);
    await closer.closeFor(streamId, info, asked || recoverable ? ABORTED : INTERRUPTED);
    // The process that ran the stream is dead or does not react.
    if (recoverable) recoveries.cancelUpstream(recoverable, ABORTED);
    await recoveries.prepared(streamId);
  } catch (error) {
    if (!isStoreError(error, 'NOT_FOUND')) throw error;
  }
}

async function closesWithin(
  ms: number,
  streamId: string,
  info: StreamInfo,
  { store }: Pick<Context, 'store'>,
): Promise<boolean> {
  const limit = AbortSignal.timeout(ms);
  try {
    return (
      (await followUntil(store, streamId, () => false, { signal: limit, offset: info.tail })) !== undefined
    );
  } catch (error) {
    if (limit.aborted) return false;
    if (isStoreError(error, 'NOT_FOUND')) return true;
    throw error;
  }
}

/** Aborts a stream that this process pumps, or the create of one that does not exist yet. */
export function abortHere(streamId: string, { running }: Pick<Context, 'running'>): void {
  void running.get(streamId)?.stop(ABORTED);
  running.cancel(streamId, requestAborted());
}
