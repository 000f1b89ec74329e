import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ENTRIES } from '../../scripts/entries.ts';
import { exec, installConsumer, repositoryPackage, type Consumer } from './consumer.ts';

/** What an app has installed beside the package: its peers, and the types of Node and React. */
const PEERS = [
  '@ai-sdk/react',
  '@tanstack/ai',
  '@tanstack/ai-client',
  '@tanstack/react-query',
  '@types/node',
  '@types/react',
  'ai',
  'react',
  'redis',
] as const;

const COMPILERS = { '5.9': 'typescript59', '7': 'typescript7' } as const;

/** `nodenext` compiles one file of each module format. */
const RESOLUTIONS = {
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
} as const;

/** Returns an identifier for an entry point such as `react/status`. */
function nameOf(entry: string): string {
  return entry.replaceAll(/\W/g, '_');
}

/** Imports everything from every entry point, and uses a type that was lost with `@types/cors`. */
const PROGRAM = `
${Object.keys(ENTRIES)
  .map((entry) => `import * as ${nameOf(entry)} from 'durable-proxy${entry === 'index' ? '' : `/${entry}`}';`)
  .join('\n')}
export const entries = { ${Object.keys(ENTRIES).map(nameOf).join(', ')} };
export const cors: index.DurableProxyOptions['cors'] = { origin: ['https://chat.example.com'] };
// @ts-expect-error -- an origin cannot be a number; if the option were \`any\`, this line would be no error
export const wrong: index.DurableProxyOptions['cors'] = { origin: 1 };
`;

describe('the types of the packed package', () => {
  let consumer: Consumer;

  beforeAll(async () => {
    const { devDependencies } = await repositoryPackage();
    consumer = await installConsumer(inject('tarball'), [
      ...PEERS.map((name) => `${name}@${devDependencies[name]}`),
      // @ai-sdk/provider 3 uses these types without depending on them.
      '@types/json-schema@7',
      'typescript59@npm:typescript@5.9',
      'typescript7@npm:typescript@7',
    ]);
    await writeFile(join(consumer.folder, 'program.mts'), PROGRAM);
    await writeFile(join(consumer.folder, 'program.cts'), PROGRAM);
    for (const [name, options] of Object.entries(RESOLUTIONS)) {
      const compilerOptions = {
        ...options,
        target: 'es2022',
        lib: ['es2023', 'dom', 'dom.iterable'],
        jsx: 'react-jsx',
        types: ['node'],
        strict: true,
        skipLibCheck: false,
        noEmit: true,
      };
      const files = name === 'nodenext' ? ['program.mts', 'program.cts'] : ['program.mts'];
      await writeFile(
        join(consumer.folder, `tsconfig.${name}.json`),
        JSON.stringify({ compilerOptions, files }),
      );
    }
  });
  afterAll(() => consumer?.remove());

  for (const [version, compiler] of Object.entries(COMPILERS)) {
    for (const resolution of Object.keys(RESOLUTIONS)) {
      it(`compile under TypeScript ${version} with moduleResolution ${resolution} and no skipLibCheck`, async ({
        skip,
      }) => {
        if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
        const tsc = join(consumer.folder, 'node_modules', compiler, 'bin/tsc');
        const args = [tsc, '-p', `tsconfig.${resolution}.json`, '--pretty', 'false'];
        const errors = await exec(process.execPath, args, { cwd: consumer.folder }).then(
          () => '',
          (error: unknown) => (error as { stdout: string }).stdout,
        );
        // The lines that begin an error; those that are indented only explain it.
        expect(errors.split('\n').filter((line) => /^\S/.test(line))).toEqual([]);
      });
    }
  }
});
