import { expect, it } from 'vitest';
import { ManualStore } from '../../../tests/support/manual-store.ts';
import { LogOutbox } from './outbox.ts';

it('counts how often a task was returned with retry, but not with postpone', async () => {
  const outbox = new LogOutbox(new ManualStore(), 60);
  await outbox.add({ id: 'task', payload: 'work', delayMs: 0 });
  const attempts: (number | undefined)[] = [];
  for (const how of ['postpone', 'postpone', 'retry', 'postpone', 'done'] as const) {
    const taken = await outbox.take();
    attempts.push(taken?.attempts);
    expect(await taken?.[how](0)).toBe(true);
  }
  expect(attempts).toEqual([1, 1, 1, 2, 2]);
  expect(await outbox.take()).toBeUndefined();
});
