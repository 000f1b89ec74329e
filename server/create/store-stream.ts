import type { Context } from '../context.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { toMetadata } from '../store/metadata.ts';
import { StoreError, type StreamInit } from '../store/types.ts';
import { unreadEntries } from '../unread/timeout.ts';
import { originEntries } from '../webhooks/task.ts';
import type { BeginOptions } from './begin-options.ts';
import type { CreatedStream } from './exactly-once.ts';

export interface StoredStream {
  readonly begin: Pick<BeginOptions, 'streamId' | 'caller' | 'claim' | 'request' | 'base'>;
  readonly contentType: string;
  /** Metadata in addition to those of every stream. */
  readonly metadata: StreamInit['metadata'];
}

/**
 * Creates the stream in the store. If that fails, times out, or the create is canceled meanwhile, deletes the stream in
 * case it exists.
 * @throws StoreError; the signal's reason.
 */
export async function storeStream(
  { options, store, processes }: Context,
  { begin, contentType, metadata }: StoredStream,
  signal: AbortSignal,
): Promise<CreatedStream> {
  const { streamId, caller, claim, request, base } = begin;
  const subject = caller?.subject;
  const origin = { subject, key: request.streamKey, base, startedAt: Date.now() };
  const init: StreamInit = {
    contentType,
    ttlSeconds: options.streamTtlSeconds,
    metadata: {
      ...toMetadata({
        owner: processes.id,
        ...(subject !== undefined && { subject }),
        ...(claim !== undefined && { claim }),
      }),
      ...unreadEntries(request.unreadTimeoutMs, options.unreadTimeoutMs),
      ...metadata,
      ...(options.webhook && originEntries(origin)),
    },
  };
  const creation = store.create(streamId, init);
  try {
    const created = await inTime(creation, CREATE_STORE_MS);
    if (!created) throw new StoreError('UNAVAILABLE', `The stream ${streamId} exists already`);
    signal.throwIfAborted();
    return { streamId, contentType, metadata: init.metadata };
  } catch (error) {
    // Not awaited, because the store may be unresponsive. A create that succeeds late is deleted then.
    const remove = () => store.delete(streamId);
    creation.then(remove, remove).catch((err: unknown) => {
      options.logger.warn({ err, streamId }, 'could not delete the stream of a failed create; it expires');
    });
    throw error;
  }
}
