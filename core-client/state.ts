import type { Resumption, ResumptionStatus } from './types.ts';

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

const FINAL: readonly ResumptionStatus[] = ['complete', 'aborted', 'failed', 'expired'];

/** Returns true for a final state. */
export function isOver(status: ResumptionStatus): boolean {
  return FINAL.includes(status);
}

/**
 * Returns the resumption in its next state: the same object if nothing changed. Late changes do not affect a final
 * state. `tests/client/model.test.ts` has the table of states that follow each other.
 */
export function advance(
  resumption: Resumption,
  status: ResumptionStatus,
  change?: Partial<Omit<Resumption, 'status'>>,
): Resumption {
  const isSame = !change && status === resumption.status;
  return isSame || isOver(resumption.status) ? resumption : { ...resumption, ...change, status };
}
