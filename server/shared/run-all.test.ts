import { expect, it } from 'vitest';
import { runAll } from './run-all.ts';

it('runs the steps after one that fails, in order, and then throws the first error', async () => {
  const ran: string[] = [];
  const step = (name: string, error?: Error) => async () => {
    await Promise.resolve();
    ran.push(name);
    if (error) throw error;
  };
  const [first, second] = [new Error('first'), new Error('second')];
  await expect(runAll([step('a'), step('b', first), step('c', second), step('d')])).rejects.toBe(first);
  expect(ran).toEqual(['a', 'b', 'c', 'd']);
});
