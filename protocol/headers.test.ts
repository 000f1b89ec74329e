import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as headers from './headers.ts';

const { EXPOSED_HEADERS, PREFERENCES, ...strings } = headers;
const names = Object.values(strings).filter((name) => !PREFERENCES.includes(name));
const document = readFileSync(new URL('../docs/PROTOCOL.md', import.meta.url), 'utf8');

it('docs/PROTOCOL.md contains every header name with this spelling', () => {
  const absent = [...names, ...PREFERENCES].filter((name) => !document.includes(name));
  expect(absent).toEqual([]);
});

it('docs/PROTOCOL.md names no other header of the protocol', () => {
  const used = [...document.matchAll(/`((?:Upstream|Stream|Idempotency)-[A-Za-z-]+)/g)].map(
    ([, name]) => name!,
  );
  const known: readonly string[] = names;
  expect(used.filter((name) => !known.includes(name))).toEqual([]);
});

it('exposes every response header to cross-origin pages exactly once', () => {
  const sentByServers = names.filter(
    (name) =>
      /^(Upstream|Stream)-|Replayed|Applied/.test(name) && !/-(URL|Method|Authorization|Key)$/.test(name),
  );
  expect(EXPOSED_HEADERS).toEqual(expect.arrayContaining(sentByServers));
  expect(new Set(EXPOSED_HEADERS).size).toBe(EXPOSED_HEADERS.length);
});
