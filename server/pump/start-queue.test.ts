import { expect, it } from 'vitest';
import { StartQueue } from './start-queue.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('admits a burst one by one, in order, with an event-loop turn in between', async () => {
  const starts = new StartQueue();
  const started: number[] = [];
  const all = Array.from({ length: 30 }, async (_, i) => {
    const admitted = starts.take();
    if (admitted) await admitted;
    started.push(i);
  });
  expect(started).toEqual([0]);
  for (let last = 1; last < 30; last = started.length) {
    await nextTurn();
    expect(started.length - last).toBeLessThanOrEqual(1);
  }
  await Promise.all(all);
  expect(started).toEqual(Array.from({ length: 30 }, (_, i) => i));
});

it('does not delay a single stream', async () => {
  const starts = new StartQueue();
  for (let i = 0; i < 20; i += 1) {
    expect(starts.take()).toBeUndefined();
    await nextTurn();
  }
});

it('admits new streams after those that wait', async () => {
  const starts = new StartQueue();
  const started: string[] = [];
  const enter = async (name: string): Promise<void> => {
    await starts.take();
    started.push(name);
  };
  const early = Array.from({ length: 10 }, (_, i) => enter(`early ${i}`));
  await nextTurn();
  const late = enter('late');
  await Promise.all([...early, late]);
  expect(started.at(-1)).toBe('late');
});
