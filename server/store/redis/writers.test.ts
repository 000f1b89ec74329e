import { describe, expect, it } from 'vitest';
import { StoreError } from '../types.ts';
import { Writers } from './writers.ts';

/** A write that ends when the test says so. */
function pending() {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<void>((yes, no) => ((resolve = yes), (reject = no)));
  return { promise, resolve, reject };
}

describe('the writes of a stream', () => {
  it('run one at a time and in order, concurrently with those of other streams', async () => {
    const writers = new Writers();
    const first = pending();
    const log: string[] = [];
    const a = writers.run('a', () => first.promise.then(() => log.push('a1')));
    const b = writers.run('a', async () => log.push('a2'));
    await writers.run('b', async () => log.push('b1'));
    expect(log).toEqual(['b1']);
    first.resolve();
    await Promise.all([a, b]);
    expect(log).toEqual(['b1', 'a1', 'a2']);
  });

  it('fail with a write whose outcome is unknown, and continue with the next one that is added', async () => {
    const writers = new Writers();
    const lost = new StoreError('UNAVAILABLE', 'lost');
    const first = pending();
    const runs = [writers.run('a', () => first.promise), writers.run('a', async () => 2)];
    first.reject(lost);
    expect(await Promise.allSettled(runs)).toEqual([
      { status: 'rejected', reason: lost },
      { status: 'rejected', reason: lost },
    ]);
    expect(await writers.run('a', async () => 3)).toBe(3);
  });

  it('continue after a rejected write', async () => {
    const writers = new Writers();
    const closed = new StoreError('CLOSED', 'closed');
    const runs = [writers.run('a', () => Promise.reject(closed)), writers.run('a', async () => 2)];
    expect(await Promise.allSettled(runs)).toEqual([
      { status: 'rejected', reason: closed },
      { status: 'fulfilled', value: 2 },
    ]);
  });

  it('know the tail of their own stream, and of no other', async () => {
    const writers = new Writers();
    const fence = () => writers.run('a', async (known) => known);
    expect(await fence()).toBeUndefined();
    writers.advance('a', 'epoch', 5);
    expect(await fence()).toBeUndefined();
    writers.begin('a', 'epoch');
    writers.advance('a', 'epoch', 5);
    writers.advance('a', 'epoch', 3);
    writers.advance('a', 'another', 9);
    expect(await fence()).toEqual({ epoch: 'epoch', tail: 5 });
    writers.forget('a');
    expect(await fence()).toBeUndefined();
  });

  it('can be awaited', async () => {
    const writers = new Writers();
    const first = pending();
    let done = 0;
    void writers.run('a', () => first.promise).then(() => (done += 1));
    void writers.run('a', async () => (done += 1));
    const idle = writers.idle();
    first.resolve();
    await idle;
    expect(done).toBe(2);
    await writers.idle();
  });
});
