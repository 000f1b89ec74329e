// Writes the package's type declarations: for every entry point a bundled `.d.ts` and `.d.cts`, each with a map to the
// TypeScript sources, which are part of the package (`files` in package.json).
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { dts } from 'rolldown-plugin-dts';
import { tsImport } from 'tsx/esm/api';

const { ENTRIES } = await tsImport('./entries.ts', import.meta.url);
const OUT = 'dist';

/** The import specifiers of a bundle, and of the comment that names its map. */
const SPECIFIER = /(?<= from ['"]\.[^'"]*\.)js(?=['"];)/g;

/** Bundles all entry points at once: a type that two of them share is one declaration in a chunk of its own. */
export async function writeDeclarations() {
  const bundle = await rolldown({
    input: Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, resolve(file)])),
    platform: 'node',
    external: /^[^./]/,
    checks: { pluginTimings: false },
    plugins: dts({ emitDtsOnly: true, sourcemap: true, oxc: false }),
  });
  const { output } = await bundle.generate({ dir: OUT, format: 'es', chunkFileNames: 'types-[hash].js' });
  await bundle.close();
  await Promise.all(output.flatMap((file) => [write(file.fileName, textOf(file)), writeCommonJs(file)]));
}

function textOf(file) {
  return file.type === 'chunk' ? file.code : String(file.source);
}

/** TypeScript takes a `.d.ts` of this package for an ES module, so `require` needs a copy with another ending. */
function writeCommonJs(file) {
  const fileName = file.fileName.replace(/\.d\.ts/, '.d.cts');
  if (file.type === 'chunk') {
    const text = file.code
      .replaceAll(SPECIFIER, 'cjs')
      .replace(/(?<=sourceMappingURL=.*)\.d\.ts\.map/, '.d.cts.map');
    return write(fileName, text);
  }
  const map = JSON.parse(textOf(file));
  return write(fileName, JSON.stringify({ ...map, file: map.file.replace(/\.d\.ts$/, '.d.cts') }));
}

async function write(fileName, text) {
  const path = join(OUT, fileName);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
