import type { Context } from '../context.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { toMetadata } from '../store/metadata.ts';
import { StoreError, type StreamInit } from '../store/types.ts';
import { unreadEntries } from '../unread/timeout.ts';
import { originEntries } from '../webhooks/task.ts';
import type { UndoStack } from '../shared/undo-stack.ts';
import type { BeginOptions } from './begin-options.ts';
import type { CreatedStream } from './exactly-once.ts';

export interface StoredStream {
  readonly begin: Pick<
    BeginOptions,
    'streamId' | 'caller' | 'claim' | 'request' | 'base' | 'abortController'
  >;
  readonly contentType: string;
  /** Metadata in addition to those of every stream. */
  readonly metadata: StreamInit['metadata'];
}

/**
 * Creates the stream in the store. `undo` deletes the stream if it exists, even after a failure or a timeout.
 * @throws StoreError.
 */
export async function storeStream(
  { options, store, processes }: Pick<Context, 'options' | 'store' | 'processes'>,
  { begin, contentType, metadata }: StoredStream,
  undo: UndoStack,
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
  undo.push(() => {
    // Not awaited, because the store may be unresponsive. If the create succeeds late, the stream is deleted then.
    const remove = () => store.delete(streamId);
    creation.then(remove, remove).catch((err: unknown) => {
      options.logger.warn({ err, streamId }, 'could not delete the stream of a failed create; it expires');
    });
  });
  const isNew = await inTime(creation, CREATE_STORE_MS);
  if (!isNew) throw new StoreError('UNAVAILABLE', `The stream ${streamId} exists already`);
  return { streamId, contentType, metadata: init.metadata };
}
