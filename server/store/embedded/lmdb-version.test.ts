import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

describe('the version of lmdb', () => {
  const decision = read('../../../docs/adr/0001-lmdb-and-a-journal.md');
  const decided = /^Decided for lmdb (\d+\.\d+\.\d+)\./m.exec(decision)?.[1];

  it('is pinned to the version that docs/adr/0001-lmdb-and-a-journal.md was decided for', () => {
    expect(JSON.parse(read('../../../package.json')).dependencies.lmdb).toBe(decided);
  });

  it('is the version that is installed', () => {
    expect(JSON.parse(read('../../../node_modules/lmdb/package.json')).version).toBe(decided);
  });
});
