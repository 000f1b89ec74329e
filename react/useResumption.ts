import { useMemo, useSyncExternalStore } from 'react';
import { IDLE } from '../core-client/state.ts';
import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { Resumption } from '../core-client/types.ts';
import { reasonOf, wordOf, type ResumptionReason, type ResumptionWords } from './resumption-words.ts';
import { throttledSource } from './throttled-source.ts';

/** A resumption, with the values that a page shows. */
export interface ResumptionView extends Resumption {
  /** True while an answer arrives, or will arrive once the network is back. */
  readonly isBusy: boolean;
  /** True while the client reconnects after a lost connection. */
  readonly isInterrupted: boolean;
  /** True if the answer failed or expired, so that the user has to try again. */
  readonly canRetry: boolean;
  /** Why there is no answer, such as a refused request. Undefined if `status` is specific enough. */
  readonly reason: ResumptionReason | undefined;
  /** The sentence to show to the user. May be empty. */
  readonly message: string;
}

/** Minimum milliseconds between two renders for progress: a source changes with every chunk of an answer. */
const THROTTLE_MS = 50;

/** Stable source that never changes, used while `source` is `null` or a plain snapshot. */
const EMPTY_SOURCE: ResumptionSource = { subscribe: () => () => undefined, getSnapshot: () => IDLE };

/**
 * Returns the state of an answer and a sentence that describes it. Renders nothing: `<StreamStatus>` is one way to show it.
 *
 * @param source the `resumption` of a hook, a transport or an adapter. Progress of a transport or an adapter
 * renders at most every 50 ms; any other change renders at once.
 * @param words sentences in another language or tone. A missing reason uses the given sentence of its status; any other
 * missing sentence is English.
 * @returns the resumption with the values that a page shows.
 * @example
 * const { message, canRetry } = useResumption(transport.resumption);
 */
export function useResumption(
  source: ResumptionSource | Resumption | null | undefined,
  words?: Partial<ResumptionWords>,
): ResumptionView {
  const isSource = source != null && 'getSnapshot' in source;
  const { subscribe, getSnapshot } = isSource ? source : EMPTY_SOURCE;
  const throttled = useMemo(
    () => throttledSource({ subscribe, getSnapshot }, THROTTLE_MS),
    [subscribe, getSnapshot],
  );
  const live = useSyncExternalStore(throttled.subscribe, getSnapshot, () => IDLE);
  const resumption = isSource ? live : (source ?? IDLE);
  const { status } = resumption;
  const reason = reasonOf(resumption);
  return {
    ...resumption,
    isBusy: status === 'creating' || status === 'streaming' || status === 'reconnecting',
    isInterrupted: status === 'reconnecting',
    canRetry: status === 'failed' || status === 'expired',
    reason,
    message: wordOf(resumption, reason, words),
  };
}
