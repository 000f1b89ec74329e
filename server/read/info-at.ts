import { isPending } from '../store/metadata.ts';
import type { Frame, StreamInfo, StreamStore } from '../store/types.ts';

/**
 * Returns the metadata of a stream for a reader that has this frame. Bytes follow the head of the upstream's
 * response, but a store may deliver them to a reader before the head (`StreamStore.annotate`). In that case, reads
 * the head from the store.
 * @throws StoreError `UNAVAILABLE`.
 */
export async function infoAt<Info extends Pick<StreamInfo, 'contentType' | 'metadata' | 'end'>>(
  store: Pick<StreamStore, 'head'>,
  streamId: string,
  info: Info,
  frame: Pick<Frame, 'bytes' | 'end'>,
): Promise<Info | StreamInfo> {
  const isBehind = isPending(info.metadata) && (frame.bytes.length > 0 || frame.end !== undefined);
  return (isBehind && (await store.head(streamId))) || info;
}
