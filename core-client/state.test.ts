import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advance, IDLE, isOver, TRANSITIONS, type StateEvent } from './state.ts';
import type { ResumptionStatus } from './types.ts';

const STATES = Object.keys(TRANSITIONS) as ResumptionStatus[];
const EVENTS: StateEvent[] = [
  'create',
  'attach',
  'open',
  'drop',
  'close',
  'stop',
  'detach',
  'expire',
  'fail',
];
const events = fc.array(fc.constantFrom(...EVENTS), { maxLength: 40 });
const run = (given: readonly StateEvent[]) => given.reduce((at, event) => advance(at, event, {}), IDLE);

describe('the state table', () => {
  it('is total: every event in every state leads to a state', () => {
    for (const status of STATES) {
      for (const event of EVENTS) expect(STATES).toContain(advance({ ...IDLE, status }, event, {}).status);
    }
  });

  it('has four final states', () => {
    expect(STATES.filter(isOver)).toEqual(['complete', 'aborted', 'failed', 'expired']);
  });

  it('never changes a final state, not even its offset', () => {
    fc.assert(
      fc.property(events, events, (before, after) => {
        const ended = run(before);
        fc.pre(isOver(ended.status));
        const later = after.reduce((at, event) => advance(at, event, { offset: 'late', attempt: 9 }), ended);
        expect(later).toBe(ended);
      }),
    );
  });

  it('reaches a final state or idle from every state by one ending event', () => {
    fc.assert(
      fc.property(events, fc.constantFrom('stop', 'expire', 'fail', 'detach' as const), (before, end) => {
        const { status } = advance(run(before), end, {});
        expect(isOver(status) || status === 'idle').toBe(true);
      }),
    );
  });

  it('reaches complete only if an open stream closes, without a drop since it was opened', () => {
    fc.assert(
      fc.property(events, (given) => {
        let isOpen = false;
        let at = IDLE;
        for (const event of given) {
          const next = advance(at, event, {});
          if (at.status !== 'complete' && next.status === 'complete') {
            expect(event).toBe('close');
            expect(isOpen).toBe(true);
          }
          isOpen = next.status === 'streaming';
          at = next;
        }
      }),
    );
  });

  it('returns the same object if nothing changed, and a new one otherwise', () => {
    const streaming = run(['create', 'open']);
    expect(advance(streaming, 'open')).toBe(streaming);
    const moved = advance(streaming, 'open', { offset: '7' });
    expect(moved).not.toBe(streaming);
    expect(moved).toEqual({ ...streaming, offset: '7' });
    expect(streaming.offset).toBeUndefined();
  });
});
