import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
/** In the repository, so that scripts find its packages. */
const FOLDER = join(ROOT, '.bundles');
const MAX_BYTES = 64_000_000;

/**
 * Bundles a TypeScript file for a process of its own, without the packages. Compiling with tsx in each process would take
 * 3 s of CPU each time; this takes 0.1 s. Runs esbuild as a command, since its API does not work in jsdom.
 *
 * @param script path relative to the repository.
 * @returns the path of a script that `node` runs.
 */
export function bundleScript(script: string): string {
  const options = ['--bundle', '--packages=external', '--platform=node', '--format=esm', '--target=node20'];
  const contents = execFileSync(
    join(ROOT, 'node_modules/.bin/esbuild'),
    [script, ...options, '--sourcemap=inline', '--log-level=error'],
    { cwd: ROOT, maxBuffer: MAX_BYTES },
  );
  const hash = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const file = join(FOLDER, `${hash}.mjs`);
  if (!existsSync(file)) {
    mkdirSync(FOLDER, { recursive: true });
    // Test files run at the same time: a rename shows the whole file or none.
    const written = `${file}.${randomUUID()}`;
    writeFileSync(written, contents);
    renameSync(written, file);
  }
  return file;
}
