import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const exec = promisify(execFile);

const root = fileURLToPath(new URL('../../', import.meta.url));

interface PackageJson {
  version: string;
  overrides: object;
  devDependencies: Record<string, string>;
}

/** Reads the repository's own package.json. */
export async function repositoryPackage(): Promise<PackageJson> {
  return JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as PackageJson;
}

/** An app in a temporary folder that has the packed package installed. */
export interface Consumer {
  readonly folder: string;
  /** Why npm could not install, if it could not; always undefined when CI=true, where that is a failure. */
  readonly unreachable: unknown;
  remove(): Promise<void>;
}

/**
 * Installs the packed package and `extra` packages in a new folder, as an app would.
 *
 * @param tarball - Path of the packed package.
 * @param extra - Further packages: `react`, or with a version `ai@6`.
 */
export async function installConsumer(tarball: string, extra: readonly string[] = []): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), 'durable-proxy-consumer-'));
  // The repository's overrides: the test is about this package, not about a dependency's release of today.
  const { overrides } = await repositoryPackage();
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, overrides }));
  let unreachable: unknown;
  try {
    const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline'];
    await exec('npm', ['install', ...options, tarball, ...extra], { cwd: folder });
  } catch (error) {
    if (process.env['CI'] === 'true') throw error;
    unreachable = error;
  }
  return { folder, unreachable, remove: () => rm(folder, { recursive: true, force: true }) };
}
