import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const FOLDER = join(import.meta.dirname, 'snippets');
const guide = readFileSync(join(import.meta.dirname, '../../docs/react.md'), 'utf8');
const blocks = [...guide.matchAll(/<!-- tests\/react\/snippets\/(\S+) -->\s+```tsx?\n(.*?)\n```/gs)];

it.each(blocks.map(([, file = '', code]) => [file, code]))(
  'the guide shows %s as it is checked',
  (file, code) => {
    expect(code).toBe(readFileSync(join(FOLDER, file), 'utf8').trimEnd());
  },
);

it('every snippet is in the guide', () => {
  expect(blocks.map(([, file]) => file).sort()).toEqual(readdirSync(FOLDER).sort());
});
