import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERROR_STATUS } from './errors.ts';
import { OUTCOMES } from './outcomes.ts';

const document = readFileSync(new URL('../docs/PROTOCOL.md', import.meta.url), 'utf8');

it('the error table of docs/PROTOCOL.md matches ERROR_STATUS, in order', () => {
  const rows = [...document.matchAll(/^\| (\d{3}) \| `([A-Z_]+)` \| \S/gm)];
  expect(rows.map(([, status, code]) => [code, Number(status)])).toEqual(Object.entries(ERROR_STATUS));
});

it('the outcomes of docs/PROTOCOL.md match OUTCOMES, in order', () => {
  const [table = ''] = /\| outcome \| meaning \|[^]*?\n\n/.exec(document) ?? [];
  expect([...table.matchAll(/^\| `([a-z-]+)` \| \S/gm)].map(([, word]) => word)).toEqual([...OUTCOMES]);
});
