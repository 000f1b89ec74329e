import { once } from 'node:events';
import { expect, it } from 'vitest';
import { notifyReader } from './notify-reader.ts';

it('reports an exception of a reader as a process warning, and does not throw it', async () => {
  const warned = once(process, 'warning');
  expect(() =>
    notifyReader(() => {
      throw new Error('reader failed');
    }),
  ).not.toThrow();
  expect(await warned).toEqual([expect.objectContaining({ message: 'reader failed' })]);
});
