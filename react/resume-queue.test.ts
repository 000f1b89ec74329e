import { describe, expect, it, vi } from 'vitest';
import type { Turn } from '../core-client/transports/turns.ts';
import { ResumeQueue, type ResumeResult } from './resume-queue.ts';

const A: Turn = { requestId: 'a' };
const B: Turn = { requestId: 'b' };

/** A queue whose attempts the test ends. */
function createQueue() {
  const attempts: { readonly announced: Turn | undefined; readonly end: (result: ResumeResult) => void }[] =
    [];
  const next: Turn[] = [];
  let isBusy = false;
  const queue = new ResumeQueue({
    attach: (announced) => new Promise((end) => attempts.push({ announced, end })),
    isBusy: () => isBusy,
    onNext: (turn) => next.push(turn),
  });
  return { queue, attempts, next, setBusy: (value: boolean) => (isBusy = value) };
}

describe('ResumeQueue', () => {
  it('runs one attempt at a time, and returns its result to all callers', async () => {
    const { queue, attempts } = createQueue();
    const results = Promise.all([queue.resume(), queue.resume()]);
    expect(attempts).toHaveLength(1);
    attempts[0]?.end('resumed');
    expect(await results).toEqual(['resumed', 'resumed']);
  });

  it('passes on a turn that was announced during an attempt, once the attempt has ended', async () => {
    const { queue, attempts, next } = createQueue();
    const attempt = queue.resume();
    void queue.resume(A);
    void queue.resume(B);
    expect(next).toEqual([]);
    attempts[0]?.end('nothing');
    await attempt;
    expect(next).toEqual([B]);
  });

  it('starts no attempt while the chat is busy, and passes on the announced turn afterwards', async () => {
    const { queue, attempts, next, setBusy } = createQueue();
    setBusy(true);
    expect(await queue.resume(A)).toBe('nothing');
    expect(attempts).toHaveLength(0);
    setBusy(false);
    queue.next();
    queue.next();
    expect(next).toEqual([A]);
  });

  it('cancels the attempt in progress only', async () => {
    const signals: AbortSignal[] = [];
    const queue = new ResumeQueue({
      attach: async (_, signal) => (signals.push(signal), 'nothing'),
      isBusy: () => false,
      onNext: () => undefined,
    });
    queue.cancel();
    const first = queue.resume();
    queue.cancel();
    await first;
    await queue.resume();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  it('starts another attempt after a canceled one has ended, unless that is canceled too', async () => {
    const { queue, attempts, next, setBusy } = createQueue();
    const first = queue.resume();
    queue.cancel();
    // The chat shows the answer of the canceled attempt until the attempt ends.
    setBusy(true);
    const second = queue.resume();
    const joined = queue.resume(A);
    queue.cancel();
    const third = queue.resume(B);
    expect(attempts).toHaveLength(1);
    setBusy(false);
    attempts[0]?.end('unknown');
    expect(await Promise.all([first, second, joined])).toEqual(['unknown', 'unknown', 'unknown']);
    await vi.waitFor(() => expect(attempts.map(({ announced }) => announced)).toEqual([undefined, B]));
    attempts[1]?.end('resumed');
    expect(await third).toBe('resumed');
    expect(next).toEqual([A]);
  });

  it('starts a new attempt after a failed one', async () => {
    const attempts: number[] = [];
    const queue = new ResumeQueue({
      attach: () => Promise.reject(new Error(`attempt ${attempts.push(1)}`)),
      isBusy: () => false,
      onNext: () => undefined,
    });
    await expect(queue.resume()).rejects.toThrow('attempt 1');
    await expect(queue.resume()).rejects.toThrow('attempt 2');
  });

  it('drops the announced turn on clear', () => {
    const { queue, next, setBusy } = createQueue();
    setBusy(true);
    void queue.resume(A);
    queue.clear();
    queue.next();
    expect(next).toEqual([]);
  });
});
