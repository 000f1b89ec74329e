import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

it('admits a burst one by one, in order, with an event-loop turn in between', async () => {
  const turns = new Turns();
  const begun: number[] = [];
  const all = Array.from({ length: 30 }, async (_, i) => {
    const turn = turns.take();
    if (turn) await turn;
    begun.push(i);
  });
  expect(begun).toEqual([0]);
  for (let last = 1; last < 30; last = begun.length) {
    await nextTurn();
    expect(begun.length - last).toBeLessThanOrEqual(1);
  }
  await Promise.all(all);
  expect(begun).toEqual(Array.from({ length: 30 }, (_, i) => i));
});

it('does not delay a single stream', async () => {
  const turns = new Turns();
  for (let i = 0; i < 20; i += 1) {
    expect(turns.take()).toBeUndefined();
    await nextTurn();
  }
});

it('admits new streams after those that wait', async () => {
  const turns = new Turns();
  const begun: string[] = [];
  const enter = async (name: string): Promise<void> => {
    await turns.take();
    begun.push(name);
  };
  const early = Array.from({ length: 10 }, (_, i) => enter(`early ${i}`));
  await nextTurn();
  const late = enter('late');
  await Promise.all([...early, late]);
  expect(begun.at(-1)).toBe('late');
});
