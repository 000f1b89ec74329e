import { expect, it } from 'vitest';
import { closestName } from './closest-name.ts';

const names = (count: number, text: string) => Array.from({ length: count }, (_, n) => `${text}${n % 10}`);

it('compares at most 100 names, because callers may control the name', () => {
  const similar = 'api.example.com';
  expect(closestName('api.exmple.com', [...names(99, 'elsewhere.test'), similar])).toBe(similar);
  expect(closestName('api.exmple.com', [...names(100, 'elsewhere.test'), similar])).toBeUndefined();
});

it('does not compare names whose length is too different', () => {
  const similar = 'api.example.com';
  for (const text of ['short', `${'long-'.repeat(5)}name.test`]) {
    expect(closestName('api.exmple.com', [...names(1_000, text), similar])).toBe(similar);
  }
});

it.each([
  ['kitten', ['sitting', 'mitten'], 'mitten'],
  ['ab', ['xabx', 'ba'], 'xabx'],
  ['secret', ['jwtSecret', 'cors'], 'jwtSecret'],
  ['headersTimeoutMs', ['upstreamHeadersTimeoutMs', 'bodyTimeoutMs'], 'upstreamHeadersTimeoutMs'],
  ['abcdefghi', ['abcdefxyz'], 'abcdefxyz'],
  ['abcdefghi', ['abcdewxyz'], undefined],
  ['', ['abc'], undefined],
  ['name', [], undefined],
])('returns the name that is closest to %j in %j', (name, known, expected) => {
  expect(closestName(name, known)).toBe(expected);
});
