import type { Context } from '../context.ts';
import type { Exchange } from '../http/exchange.ts';
import { respond } from '../http/response.ts';
import { metadataOf } from '../store/metadata.ts';
import { stopUpstream } from './abort-stream.ts';
import { isVisible, streamNotFound } from '../access/visible.ts';

/**
 * Handles DELETE {base}/{id}. Idempotent: cancels the upstream request, deletes the stream, and responds 204, also if
 * the stream does not exist.
 */
export async function deleteStream({ res, streamId, caller }: Exchange, context: Context): Promise<void> {
  const { store, claims, quota } = context;
  const info = await store.head(streamId);
  if (info) {
    if (!isVisible(info, caller)) throw streamNotFound();
    const { subject, claim } = metadataOf(info);
    if (!info.end) await stopUpstream(streamId, info, context);
    await store.delete(streamId);
    quota.deleted(streamId, subject);
    if (claim !== undefined) await claims.forget(claim, streamId);
    if (!info.end) context.emit({ type: 'aborted', streamId, subject, by: 'delete' });
  }
  respond(res, 204, {});
}
