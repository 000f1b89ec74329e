import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Below node_modules, so that what is run from there finds its packages. */
const FOLDER = fileURLToPath(
  new URL(`../node_modules/.cache/durable-proxy-bench-${process.pid}`, import.meta.url),
);
process.once('exit', () => rmSync(FOLDER, { recursive: true, force: true }));

/**
 * A TypeScript file of ours as plain JavaScript for Node, made as the package's build makes it; gives its path.
 * A loader that compiles on the way would be measured too: its thread, and what it does to keep names.
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
