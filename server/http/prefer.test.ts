import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePrefer } from './prefer.ts';

const parsed = (...fields: string[]) => Object.fromEntries(parsePrefer(fields));

describe('parsePrefer', () => {
  it.each<[string[], Record<string, string>]>([
    [[], {}],
    [['return=representation'], { return: 'representation' }],
    [['return=representation, upstream-status'], { return: 'representation', 'upstream-status': '' }],
    [['return=representation', 'upstream-status'], { return: 'representation', 'upstream-status': '' }],
    [
      ['Respond-Async , WAIT = 10 ;x="a, b";y,, upstream-status;foo'],
      { 'respond-async': '', wait: '10', 'upstream-status': '' },
    ],
    [['return="repre\\sentation"'], { return: 'representation' }],
    [['return=minimal, return=representation'], { return: 'minimal' }],
    [['upstream-status=""'], { 'upstream-status': '' }],
    [['wait=10; upstream-status'], { wait: '10' }],
    [['x="a, upstream-status'], {}],
    [['=x, a b, return=re presentation, "quoted"'], {}],
  ])('parses %j', (fields, preferences) => {
    expect(parsed(...fields)).toEqual(preferences);
  });

  it('parses every preference, in one field or in several, and never throws', () => {
    const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    const value = fc.string({ unit: 'grapheme-ascii', maxLength: 8 });
    const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(token, value, fc.boolean()), { selector: ([name]) => name }),
        fc.boolean(),
        (preferences, oneField) => {
          const members = preferences.map(
            ([name, text, parameter]) => `${name}=${quoted(text)}${parameter ? '; p="x, y"' : ''}`,
          );
          const fields = oneField ? [members.join(' , ')] : members;
          const expected = Object.fromEntries(preferences.map(([name, text]) => [name, text]));
          expect(parsed(...fields)).toEqual(expected);
        },
      ),
    );
    fc.assert(fc.property(fc.array(fc.string()), (fields) => void parsePrefer(fields)));
  });
});
