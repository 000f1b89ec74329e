import { useMemo, useSyncExternalStore } from 'react';
import { IDLE } from '../core-client/state.ts';
import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { Resumption } from '../core-client/types.ts';
import { reasonOf, wordOf, type ResumptionReason, type ResumptionWords } from './resumption-words.ts';
import { throttledSource } from './throttled-source.ts';

/** A resumption and what a page makes of it. */
export interface ResumptionView extends Resumption {
  /** An answer is on its way, or will be when the network is back. */
  readonly isBusy: boolean;
  /** The connection is lost, and is being tried again. */
  readonly isInterrupted: boolean;
  /** It will not come by itself: asking again helps. */
  readonly canRetry: boolean;
  /** Why there is no answer: it was refused, or there is no connection. Undefined if the status says all. */
  readonly reason: ResumptionReason | undefined;
  /** What to tell people; empty when there is nothing to tell. */
  readonly message: string;
}

/** Milliseconds between two renders for progress: a source changes with every frame of an answer. */
const THROTTLE_MS = 50;

/** Nothing has a source that is not there yet. */
const NO_SOURCE: ResumptionSource = { subscribe: () => () => undefined, getSnapshot: () => IDLE };

/**
 * Where an answer stands, and how to say it. Headless: `<StreamStatus>` is one way to show it.
 *
 * @param source the `resumption` of a hook, of a transport or of an adapter. Progress of a transport or an adapter
 * renders at most every 50 ms; any other change renders at once.
 * @param words in another language or tone. A reason that is left out takes the word of its status; other words that are
 * left out stay English.
 *
 * @example
 * const { message, canRetry } = useResumption(transport.resumption);
 */
export function useResumption(
  source: ResumptionSource | Resumption | null | undefined,
  words?: Partial<ResumptionWords>,
): ResumptionView {
  const isSource = source != null && 'getSnapshot' in source;
  const { subscribe, getSnapshot } = isSource ? source : NO_SOURCE;
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
