import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of the packed package, as `npm publish` would upload it. */
    tarball: string;
  }
}

const exec = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

/** Global setup of the `package` tests: builds and packs the package once for all of them. */
export default async function pack(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-proxy-pack-'));
  await exec(process.execPath, ['scripts/build.mjs', '--if-stale'], { cwd: root });
  const options = ['--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await exec('npm', ['pack', ...options], { cwd: root });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  project.provide('tarball', join(folder, filename));
  return () => rm(folder, { recursive: true, force: true });
}
