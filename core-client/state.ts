import type { Resumption, ResumptionStatus } from './types.ts';

/**
 * Events of an answer:
 * - `create`: a POST was sent; `attach`: a known stream is being opened, without a POST.
 * - `open`: the stream is connected; `drop`: an attempt failed or a connection was lost.
 * - `close`: the server reported that the answer is complete; `stop`: that it was stopped, or this client stopped it.
 * - `detach`: the reader left, and the answer continues without it.
 * - `expire`: the stream does not exist any more, or access was refused; `fail`: any other end.
 */
export type StateEvent =
  'create' | 'attach' | 'open' | 'drop' | 'close' | 'stop' | 'detach' | 'expire' | 'fail';

const ENDS = { stop: 'aborted', detach: 'idle', expire: 'expired', fail: 'failed' } as const;

/** The next state for each event in each state. An event that is not listed does not change the state. */
export const TRANSITIONS: Readonly<
  Record<ResumptionStatus, Readonly<Partial<Record<StateEvent, ResumptionStatus>>>>
> = {
  idle: { create: 'creating', attach: 'reconnecting', ...ENDS },
  creating: { open: 'streaming', drop: 'reconnecting', ...ENDS },
  streaming: { drop: 'reconnecting', close: 'complete', ...ENDS },
  reconnecting: { create: 'creating', open: 'streaming', ...ENDS },
  // Final states: late events do not change them.
  complete: {},
  aborted: {},
  failed: {},
  expired: {},
};

/** The resumption of an answer that was not requested yet. */
export const IDLE: Resumption = {
  status: 'idle',
  wasResumed: false,
  attempt: 0,
  offset: undefined,
  receivedBytes: 0,
  error: undefined,
  outcome: undefined,
};

/** Returns true for a final state. All others can fail. */
export function isOver(status: ResumptionStatus): boolean {
  return !TRANSITIONS[status].fail;
}

/** Returns the resumption after an event: the same object if nothing changed. */
export function advance(
  resumption: Resumption,
  event: StateEvent,
  change?: Partial<Omit<Resumption, 'status'>>,
): Resumption {
  const status = TRANSITIONS[resumption.status][event] ?? resumption.status;
  if (isOver(resumption.status) || (!change && status === resumption.status)) return resumption;
  return { ...resumption, ...change, status };
}
