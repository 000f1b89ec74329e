import { expect, it } from 'vitest';
import { RecentNames } from './recent-names.ts';

it('evicts the oldest name if it is full', () => {
  const names = new RecentNames(3);
  for (const name of ['a', 'b', 'c', 'a', 'd']) names.add(name);
  expect(['a', 'b', 'c', 'd'].filter((name) => names.has(name))).toEqual(['a', 'c', 'd']);
  names.delete('a');
  expect(names.has('a')).toBe(false);
  names.add('e');
  expect(['c', 'd', 'e'].every((name) => names.has(name))).toBe(true);
  names.clear();
  expect(names.has('e')).toBe(false);
});
