import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deadlines } from './deadlines.ts';

const never = new Promise<never>(() => undefined);

describe('a deadline', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is shared by operations that begin together, and not by later ones', () => {
    const deadlines = new Deadlines(() => undefined, 10_000);
    const first = deadlines.next();
    vi.advanceTimersByTime(400);
    expect(deadlines.next()).toBe(first);
    vi.advanceTimersByTime(200);
    expect(deadlines.next()).not.toBe(first);
    deadlines.end(new Error('over'));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('rejects unanswered commands, and cancels those that were not sent', async () => {
    const deadline = new Deadlines(() => undefined, 10_000).next();
    const pending = deadline.race(never);
    const rejected = expect(pending).rejects.toThrow('no answer within 10 s');
    vi.advanceTimersByTime(9_999);
    expect(deadline.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(deadline.signal.aborted).toBe(true);
    await rejected;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('reports a stalled connection repeatedly, and only while an operation is pending', async () => {
    const onStall = vi.fn();
    const deadline = new Deadlines(onStall, 10_000).next();
    await deadline.race(Promise.resolve());
    vi.advanceTimersByTime(3_000);
    expect(onStall).not.toHaveBeenCalled();
    deadline.race(never).catch(() => undefined);
    vi.advanceTimersByTime(4_000);
    expect(onStall).toHaveBeenCalledTimes(2);
  });
});
