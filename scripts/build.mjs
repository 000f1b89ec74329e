// Builds the package into dist/: every entry as ESM and CJS with its types, and the command.
// With --if-stale it does nothing when dist/ is newer than everything that it is made from.
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'tsup';
import { writeDeclarations } from './declarations.mjs';
import { buildPage } from './inspector-page.mjs';

const SOURCES = ['protocol', 'server', 'core-client', 'react', 'conformance', 'inspector-page', 'scripts'];
const CONFIGURATION = ['package.json', 'tsconfig.json', 'tsup.config.ts'];
/** Written last, so it is there when all is. */
const STAMP = 'dist/.built';

async function isFresh() {
  const built = await stat(STAMP).catch(() => undefined);
  if (built === undefined) return false;
  const lists = await Promise.all(
    SOURCES.map(async (folder) =>
      (await readdir(folder, { recursive: true })).map((file) => join(folder, file)),
    ),
  );
  const stats = await Promise.all([...CONFIGURATION, ...lists.flat()].map((file) => stat(file)));
  return stats.every(({ mtimeMs }) => mtimeMs < built.mtimeMs);
}

if (!(process.argv.includes('--if-stale') && (await isFresh()))) {
  await rm('dist', { recursive: true, force: true });
  await Promise.all([build({ config: 'tsup.config.ts' }), writeDeclarations(), buildPage()]);
  // Bundling moves a module's directive away from the first line, where frameworks look for it.
  const entries = (await readdir('dist', { recursive: true })).filter((file) =>
    /^react(\/\w+)?\.c?js$/.test(file),
  );
  for (const file of entries.map((name) => join('dist', name))) {
    await writeFile(file, `"use client";${await readFile(file, 'utf8')}`);
  }
  await writeFile(STAMP, '');
}
