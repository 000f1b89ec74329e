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

/** Once over, nothing that comes late changes it. */
function staying<S extends ResumptionStatus>(status: S) {
  return {
    create: status,
    attach: status,
    open: status,
    drop: status,
    close: status,
    stop: status,
    detach: status,
    expire: status,
    fail: status,
  };
}

const ENDS = { stop: 'aborted', detach: 'idle', expire: 'expired', fail: 'failed' } as const;

/** Every state with every event. An event that cannot happen in a state leaves it as it is. */
export const TRANSITIONS = {
  idle: { ...staying('idle'), create: 'creating', attach: 'reconnecting', ...ENDS },
  creating: { ...staying('creating'), open: 'streaming', drop: 'reconnecting', ...ENDS },
  streaming: { ...staying('streaming'), drop: 'reconnecting', close: 'complete', ...ENDS },
  reconnecting: { ...staying('reconnecting'), create: 'creating', open: 'streaming', ...ENDS },
  complete: staying('complete'),
  aborted: staying('aborted'),
  failed: staying('failed'),
  expired: staying('expired'),
} as const satisfies Record<ResumptionStatus, Record<StateEvent, ResumptionStatus>>;

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
  return TRANSITIONS[status].fail === status;
}

/** The resumption after an event. Pure; the same object when nothing changed, as when the answer is over. */
export function advance(
  resumption: Resumption,
  event: StateEvent,
  change?: Partial<Omit<Resumption, 'status'>>,
): Resumption {
  const status = TRANSITIONS[resumption.status][event];
  if (isOver(resumption.status) || (!change && status === resumption.status)) return resumption;
  return { ...resumption, ...change, status };
}
