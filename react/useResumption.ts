import { useSyncExternalStore } from 'react';
import { IDLE } from '../core-client/state.ts';
import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { Resumption, ResumptionStatus } from '../core-client/types.ts';

/** Words for people, one sentence for each state. Empty: nothing worth saying. */
export type ResumptionWords = Readonly<Record<ResumptionStatus | 'resumed', string>>;

export const WORDS: ResumptionWords = {
  idle: '',
  creating: 'Asking\u2026',
  streaming: 'Answering\u2026',
  resumed: 'Back where the answer left off\u2026',
  reconnecting: 'Connection lost. Reconnecting\u2026',
  complete: '',
  aborted: 'Stopped.',
  failed: 'The answer was cut off.',
  expired: 'This answer is no longer available.',
};

/** A resumption and what a page makes of it. */
export interface ResumptionView extends Resumption {
  /** An answer is on its way, or will be when the network is back. */
  readonly isBusy: boolean;
  /** The connection is lost, and is being tried again. */
  readonly isInterrupted: boolean;
  /** It will not come by itself: asking again helps. */
  readonly canRetry: boolean;
  /** What to tell people; empty when there is nothing to tell. */
  readonly message: string;
}

/** Nothing has a source that is not there yet. */
const NO_SOURCE: ResumptionSource = { subscribe: () => () => undefined, getSnapshot: () => IDLE };

/**
 * Where an answer stands, and how to say it. Headless: `<StreamStatus>` is one way to show it.
 *
 * @param source the `resumption` of a hook, of a transport or of an adapter.
 * @param words in another language or tone; what is left out stays English.
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
  const live = useSyncExternalStore(subscribe, getSnapshot, () => IDLE);
  const resumption = isSource ? live : (source ?? IDLE);
  const { status, wasResumed } = resumption;
  const all = { ...WORDS, ...words };
  return {
    ...resumption,
    isBusy: status === 'creating' || status === 'streaming' || status === 'reconnecting',
    isInterrupted: status === 'reconnecting',
    canRetry: status === 'failed' || status === 'expired',
    message: all[status === 'streaming' && wasResumed ? 'resumed' : status],
  };
}
