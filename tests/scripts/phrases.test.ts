import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../scripts/phrases.mjs', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'phrases-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function check(name: string, text: string) {
  const file = join(folder, name);
  writeFileSync(file, text);
  const { status, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
  return { status, stderr };
}

describe('scripts/phrases.mjs', () => {
  it.each([
    'Then it lets go of everything.',
    'Lets the upstream go.',
    'Whoever reads it.',
    'Nobody waits for it.',
    'Its reader is gone.',
    'Tells the reader of the end.',
    'Takes up the stream.',
    'Put it in',
    'What stands behind it.',
    'Hands on the bytes.',
    'Gives the next frame.',
    'The bytes behind the offset.',
    'It is no UUID.',
    'The answer goes on.',
    'The upstream breaks off.',
    'The upstream fails in mid-answer.',
    'The stream is not its own any more.',
    'No page hears of it.',
  ])('rejects "%s" in a comment, a title and a document', (phrase) => {
    expect(check('comment.ts', `/** ${phrase} */\nexport const a = 1;\n`).status).toBe(1);
    expect(check('title.test.ts', `it("${phrase}", () => {});\n`).status).toBe(1);
    expect(check('document.md', `# Title\n\n${phrase}\n`).status).toBe(1);
  });

  it('prints the place, the phrase and what to write instead', () => {
    expect(check('a.ts', '\n\n// It lets go of the lock.\n').stderr).toMatch(
      /a\.ts:3: "lets go" \(instead: .+\)/,
    );
  });

  it('finds a phrase that continues on the next line of a comment', () => {
    expect(check('a.ts', '/**\n * The proxy lets\n * go of the lock.\n */\n').stderr).toContain(
      'a.ts:2: "lets go"',
    );
    expect(check('b.ts', '// The proxy lets\n// go of the lock.\n').stderr).toContain('b.ts:1: "lets go"');
  });

  it('accepts plain text', () => {
    expect(
      check('a.ts', '/** Releases the lock and forgoes a retry. It gives up after 5 s. */\n').status,
    ).toBe(0);
  });
});
