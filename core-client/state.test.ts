import { describe, expect, it } from 'vitest';
import { createCall } from './call.ts';
import { advance, IDLE, isOver } from './state.ts';
import type { ResumptionStatus } from './types.ts';

const OPEN: ResumptionStatus[] = ['idle', 'creating', 'streaming', 'reconnecting'];
const FINAL: ResumptionStatus[] = ['complete', 'aborted', 'failed', 'expired'];

describe('the states of an answer', () => {
  it('are final if the answer has ended', () => {
    expect([...OPEN, ...FINAL].filter(isOver)).toEqual(FINAL);
  });

  it.each(FINAL)('do not change after %s, not even the offset', (status) => {
    const ended = { ...IDLE, status };
    for (const late of [...OPEN, ...FINAL])
      expect(advance(ended, late, { offset: 'late', attempt: 9 })).toBe(ended);
  });

  it.each(OPEN)('may all follow %s', (status) => {
    for (const next of FINAL) expect(advance({ ...IDLE, status }, next).status).toBe(next);
  });

  it('are the same object if nothing changed, and a new one otherwise', () => {
    const streaming = advance(IDLE, 'streaming');
    expect(advance(streaming, 'streaming')).toBe(streaming);
    const moved = advance(streaming, 'streaming', { offset: '7' });
    expect(moved).not.toBe(streaming);
    expect(moved).toEqual({ ...streaming, offset: '7' });
    expect(streaming.offset).toBeUndefined();
  });

  it('stay idle after the caller has left, unless a stop succeeds', () => {
    const call = createCall({ reconnectTimeoutMs: 1, retryTimeoutMs: 1, heartbeatTimeoutMs: 1 }, {});
    call.dispatch('creating');
    call.leave(new Error('left'));
    for (const late of OPEN) call.dispatch(late, { offset: 'late' });
    expect(call.resumption).toMatchObject({ status: 'idle', offset: undefined });
    call.dispatch('aborted');
    expect(call.resumption.status).toBe('aborted');
  });
});
