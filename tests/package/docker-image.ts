import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DockerfileParser, type Instruction } from 'dockerfile-ast';
import { runCommand, startCommand, type Command } from './commands.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A `FROM` and the instructions after it. */
export interface Stage {
  readonly image: string;
  readonly name: string | null;
  readonly instructions: readonly Instruction[];
}

export async function readStages(): Promise<Stage[]> {
  const dockerfile = DockerfileParser.parse(await readFile(join(ROOT, 'Dockerfile'), 'utf8'));
  const images = dockerfile.getFROMs();
  const stages: { image: string; name: string | null; instructions: Instruction[] }[] = [];
  for (const instruction of dockerfile.getInstructions()) {
    if (instruction.getKeyword() !== 'FROM') stages.at(-1)!.instructions.push(instruction);
    else {
      const from = images[stages.length]!;
      stages.push({ image: from.getImage()!, name: from.getBuildStage(), instructions: [] });
    }
  }
  return stages;
}

export const find = (stage: Stage, keyword: string): Instruction[] =>
  stage.instructions.filter((instruction) => instruction.getKeyword() === keyword);

/** The words of `ENTRYPOINT`, `CMD` or `HEALTHCHECK … CMD`, which have to be a JSON array. */
export function words(instruction: Instruction): string[] {
  return JSON.parse(/\[[^]*\]/.exec(instruction.getArgumentsContent()!)![0]) as string[];
}

/** The folder of the image, made by the instructions of the Dockerfile without Docker. */
export interface Image {
  /** Starts the entrypoint as a user without privileges (if the test is run by root), with `args` in place of `CMD`. */
  start(env: Readonly<Record<string, string>>, args?: readonly string[]): Command;
  /** Resolves with the exit code of the health check. */
  checkHealth(env: Readonly<Record<string, string>>): Promise<number | null>;
  remove(): Promise<void>;
}

/** Users who are not in the image's own list of users: nobody. */
const NOBODY = 65_534;

/**
 * Runs the `COPY` and `RUN` instructions of all stages in temporary folders. Two of them differ: the `npm ci` of all
 * development dependencies, which the repository's own node_modules replaces, and the creation of `/data`.
 */
export async function buildImage(): Promise<Image> {
  const stages = await readStages();
  const root = await mkdtemp(join(tmpdir(), 'durable-proxy-image-'));
  await chmod(root, 0o755);
  const folderOf = (index: number, path: string): string => join(root, String(index), path);
  for (const [index, stage] of stages.entries()) {
    let workdir = '/';
    for (const instruction of stage.instructions) {
      const content = instruction.getArgumentsContent() ?? '';
      if (instruction.getKeyword() === 'WORKDIR') workdir = content;
      const cwd = folderOf(index, workdir);
      await mkdir(cwd, { recursive: true });
      if (instruction.getKeyword() === 'COPY') {
        const from = /--from=(\S+)/.exec(instruction.toString())?.[1];
        const source =
          from === undefined
            ? ROOT
            : folderOf(
                stages.findIndex(({ name }) => name === from),
                '/',
              );
        const paths = instruction.getArguments().map((argument) => argument.getValue());
        const target = paths.pop()!;
        for (const path of paths)
          await cp(join(source, path), target.endsWith('/') ? join(cwd, target, path) : join(cwd, target), {
            recursive: true,
          });
      } else if (content === 'npm ci --ignore-scripts') {
        await symlink(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
      } else if (content.startsWith('mkdir /data ')) {
        await mkdir(folderOf(index, 'data'));
        if (process.getuid?.() === 0) await chown(folderOf(index, 'data'), NOBODY, NOBODY);
      } else if (instruction.getKeyword() === 'RUN') {
        await runCommand(instruction.getRawArgumentsContent()!, { cwd });
      }
    }
  }

  const last = stages.at(-1)!;
  const data = folderOf(stages.length - 1, 'data');
  const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;
  const run = (line: readonly string[], env: Readonly<Record<string, string>>): Command => {
    const user =
      process.getuid?.() === 0 ? `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups ` : '';
    return startCommand(`exec ${user}${line.map(quote).join(' ')}`, {
      cwd: folderOf(stages.length - 1, 'app'),
      env: { NODE_ENV: 'production', HOME: '/nonexistent', ...env },
    });
  };
  const [entrypoint, cmd, health] = ['ENTRYPOINT', 'CMD', 'HEALTHCHECK'].map((keyword) =>
    words(find(last, keyword)[0]!),
  );
  return {
    start: (env, args = cmd!) =>
      run([...entrypoint!, ...args.map((arg) => (arg === '/data' ? data : arg))], env),
    checkHealth: (env) => run(health!, env).exited,
    remove: () => rm(root, { recursive: true, force: true }),
  };
}
