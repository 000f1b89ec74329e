import type { Context } from '../context.ts';
import type { Exchange } from '../http/exchange.ts';
import { respond } from '../http/response.ts';
import { metadataOf } from '../store/metadata.ts';
import type { StreamInfo } from '../store/types.ts';
import { stopUpstream, type AbortContext } from './abort-stream.ts';
import { isVisible, streamNotFound } from '../access/visible.ts';

/** Dependencies for deleting a stream. */
export type DeleteContext = AbortContext & Pick<Context, 'claims' | 'quota'>;

/**
 * Handles DELETE {base}/{id}. Idempotent: cancels the upstream request, deletes the stream, and responds 204, even if
 * the stream does not exist.
 */
export async function deleteStream(
  { res, streamId, caller }: Exchange,
  context: DeleteContext,
): Promise<void> {
  const info = await context.store.head(streamId);
  if (info) {
    if (!isVisible(info, caller)) throw streamNotFound();
    await removeStream(streamId, info, context);
  }
  respond(res, 204, {});
}

/** Stops a stream if it is running, and deletes it. */
export async function removeStream(
  streamId: string,
  info: StreamInfo,
  context: DeleteContext,
): Promise<void> {
  const { store, claims, quota, emit } = context;
  const { subject, claim } = metadataOf(info);
  if (!info.end) await stopUpstream(streamId, info, context);
  await store.delete(streamId);
  quota.deleted(streamId, subject);
  if (claim !== undefined) await claims.release(claim, streamId);
  if (!info.end) emit({ type: 'aborted', streamId, subject, by: 'delete' });
}
