import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Below node_modules, so that the bundle resolves its packages. */
const FOLDER = fileURLToPath(
  new URL(`../node_modules/.cache/durable-proxy-bench-${process.pid}`, import.meta.url),
);
process.once('exit', () => rmSync(FOLDER, { recursive: true, force: true }));

/**
 * Bundles a TypeScript file like the build of the package, and returns the path. A loader
 * that compiles at run time would be measured too: it has a thread of its own, and keeps function names.
 */
export async function bundled(file: URL): Promise<string> {
  const outfile = join(FOLDER, basename(file.pathname).replace(/\.ts$/, '.mjs'));
  await build({
    entryPoints: [fileURLToPath(file)],
    outfile,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
  });
  return outfile;
}
