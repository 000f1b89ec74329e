import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { emptyFolder, runCommand, startCommand, type Command } from './commands.ts';

export const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

/** A copy of an example outside of the repository, installed as its README says. */
export interface Example {
  readonly folder: string;
  /** Runs the README's second command, followed by these arguments. */
  start(env: Readonly<Record<string, string>>, args?: string): Command;
  /** Runs another command in the folder. */
  run(script: string, env: Readonly<Record<string, string>>): Command;
  remove(): Promise<void>;
}

/** Returns the commands that a README shows in blocks of `sh`. */
export async function readmeCommands(readme: string): Promise<string[]> {
  const text = await readFile(readme, 'utf8');
  return [...text.matchAll(/^```sh\n([^]*?)\n```$/gm)].flatMap(([, block]) => block!.split('\n'));
}

/**
 * Copies an example and runs the README's first command, with the packed package in place of the published one.
 * @throws if the README does not have exactly two commands, or if the first one fails
 */
export async function installExample(name: string): Promise<Example> {
  const { path: folder, remove } = await emptyFolder();
  const source = join(EXAMPLES, name);
  // A developer may have installed and run the example in the repository.
  const isSource = (path: string): boolean =>
    !/^(node_modules|\.durable-proxy|\.next|\.env|dist|package-lock\.json)$/.test(
      path.slice(source.length + 1),
    );
  await cp(source, folder, { recursive: true, filter: isSource });
  const manifest = join(folder, 'package.json');
  const { dependencies, ...rest } = JSON.parse(await readFile(manifest, 'utf8')) as {
    dependencies: Record<string, string>;
  };
  if (dependencies['durable-proxy'] === undefined)
    throw new Error(`${name} does not depend on durable-proxy`);
  const replaced = { ...dependencies, 'durable-proxy': `file:${inject('tarball')}` };
  await writeFile(manifest, JSON.stringify({ ...rest, dependencies: replaced }));

  const commands = await readmeCommands(join(folder, 'README.md'));
  const [install, start, ...others] = commands;
  if (install === undefined || start === undefined || others.length > 0)
    throw new Error(`The README of ${name} must have two commands, not ${commands.length}`);
  await runCommand(install, { cwd: folder });
  const run = (script: string, env: Readonly<Record<string, string>>): Command =>
    startCommand(script, { cwd: folder, env });
  return { folder, start: (env, args = '') => run(start + args, env), run, remove };
}
