import type { Resumption, ResumptionStatus } from './types.ts';

/**
 * What can happen to an answer:
 * - `create`: a POST is on its way; `attach`: a known stream is being opened, without a POST.
 * - `open`: the stream's bytes can flow; `drop`: an attempt or a connection was lost.
 * - `close`: the server said that the answer is complete; `stop`: that it was stopped, or we stopped it.
 * - `detach`: the reader left, the answer goes on without it.
 * - `expire`: nobody has the stream any more, or nobody lets us in; `fail`: any other end.
 */
export type StateEvent =
  'create' | 'attach' | 'open' | 'drop' | 'close' | 'stop' | 'detach' | 'expire' | 'fail';

const ENDS = { stop: 'aborted', detach: 'idle', expire: 'expired', fail: 'failed' } as const;

/** What each event changes in each state. An event that is not listed leaves the state as it is. */
export const TRANSITIONS: Readonly<
  Record<ResumptionStatus, Readonly<Partial<Record<StateEvent, ResumptionStatus>>>>
> = {
  idle: { create: 'creating', attach: 'reconnecting', ...ENDS },
  creating: { open: 'streaming', drop: 'reconnecting', ...ENDS },
  streaming: { drop: 'reconnecting', close: 'complete', ...ENDS },
  reconnecting: { create: 'creating', open: 'streaming', ...ENDS },
  // Once over, nothing that comes late changes it.
  complete: {},
  aborted: {},
  failed: {},
  expired: {},
};

/** The resumption of an answer that nobody has asked for yet. */
export const IDLE: Resumption = {
  status: 'idle',
  wasResumed: false,
  attempt: 0,
  offset: undefined,
  receivedBytes: 0,
  error: undefined,
  outcome: undefined,
};

/** True for the states that nothing leaves: everything else can fail. */
export function isOver(status: ResumptionStatus): boolean {
  return !TRANSITIONS[status].fail;
}

/** The resumption after an event. Pure; the same object when nothing changed, as when the answer is over. */
export function advance(
  resumption: Resumption,
  event: StateEvent,
  change?: Partial<Omit<Resumption, 'status'>>,
): Resumption {
  const status = TRANSITIONS[resumption.status][event] ?? resumption.status;
  if (isOver(resumption.status) || (!change && status === resumption.status)) return resumption;
  return { ...resumption, ...change, status };
}
