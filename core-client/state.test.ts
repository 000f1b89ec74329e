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

describe('the table of states and events', () => {
  it('is total: every state answers every event with a state', () => {
    for (const status of STATES) {
      for (const event of EVENTS) expect(STATES).toContain(advance({ ...IDLE, status }, event, {}).status);
    }
  });

  it('has four ends, which nothing leaves', () => {
    expect(STATES.filter(isOver)).toEqual(['complete', 'aborted', 'failed', 'expired']);
  });

  it('never changes what is over, not even its offset', () => {
    fc.assert(
      fc.property(events, events, (before, after) => {
        const ended = run(before);
        fc.pre(isOver(ended.status));
        const later = after.reduce((at, event) => advance(at, event, { offset: 'late', attempt: 9 }), ended);
        expect(later).toBe(ended);
      }),
    );
  });

  it('reaches an end, or idle, from everywhere by one event that ends', () => {
    fc.assert(
      fc.property(events, fc.constantFrom('stop', 'expire', 'fail', 'detach' as const), (before, end) => {
        const { status } = advance(run(before), end, {});
        expect(isOver(status) || status === 'idle').toBe(true);
      }),
    );
  });

  it('is complete only by a close of a stream that was open, with no drop since', () => {
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

  it('gives the same object when nothing changed, and a new one when something did', () => {
    const streaming = run(['create', 'open']);
    expect(advance(streaming, 'open')).toBe(streaming);
    const moved = advance(streaming, 'open', { offset: '7' });
    expect(moved).not.toBe(streaming);
    expect(moved).toEqual({ ...streaming, offset: '7' });
    expect(streaming.offset).toBeUndefined();
  });
});
