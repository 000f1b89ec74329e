import { endsWithEvent } from '../recovery/stored-events.ts';
import { endOfState } from '../recovery/state.ts';
import { INTERRUPTED } from '../store/interrupted.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StreamInfo } from '../store/types.ts';
import { openPump, type PumpContext } from './open-pump.ts';

/** Continues streams of dead processes in this process. */
export class Adoptions {
  readonly #context: PumpContext;
  readonly #inProgress = new Map<string, Promise<boolean>>();

  constructor(context: PumpContext) {
    this.#context = context;
  }

  /**
   * Returns true if the stream has been adopted by this process or by another one, or if another process has to adopt
   * it because this one shuts down. Returns false if it cannot be continued. Concurrent calls share one adoption: a
   * second adoption would read the fence of the first and take the stream from it.
   * @throws StoreError `UNAVAILABLE`.
   */
  adopt(streamId: string, info: StreamInfo): Promise<boolean> {
    const earlier = this.#inProgress.get(streamId);
    if (earlier) return earlier;
    const adoption = adoptStream(this.#context, streamId, info).finally(() => {
      this.#inProgress.delete(streamId);
    });
    this.#inProgress.set(streamId, adoption);
    return adoption;
  }
}

async function adoptStream(context: PumpContext, streamId: string, info: StreamInfo): Promise<boolean> {
  const { store, running, recoveries, closer, processes, bytePositions, options } = context;
  const end = endOfState(info.metadata);
  if (end && !info.end) {
    await closer.closeFor(streamId, info, end, info.fence).catch((error: unknown) => {
      // The stream has been adopted or deleted in the meantime.
      if (!isStoreError(error) || error.code === 'UNAVAILABLE') throw error;
    });
    return true;
  }
  const recoverable = recoveries.find(streamId, info.metadata);
  if (!recoverable || !store.adopt || info.fence === undefined || info.end) return false;
  // The caller may have read the metadata before an adoption that has since ended.
  if (running.closing || running.has(streamId)) return true;
  if (!(await endsWithEvent(store, streamId))) {
    await recoveries.storeEnd(streamId, INTERRUPTED, info.fence);
    return false;
  }
  const { subject } = recoverable.state;
  let fence: number;
  try {
    fence = await store.adopt(streamId, info.fence, { owner: processes.id });
  } catch (error) {
    if (isStoreError(error) && error.code !== 'UNAVAILABLE') return true;
    throw error;
  }
  // From here on, the fence guarantees that the former process does not write.
  const adopted = await store.head(streamId);
  if (!adopted || adopted.end) return true;
  const storedBytes = await bytePositions.size(streamId, adopted);
  const { pump, start } = openPump(context, {
    streamId,
    subject,
    metadata: adopted.metadata,
    adopted: { fence, storedBytes },
  });
  running.adopt(subject, streamId, pump);
  options.logger.info({ streamId, bytes: storedBytes }, 'continuing the stream of another process');
  start({ body: undefined, headers: undefined, recoverable });
  return true;
}
