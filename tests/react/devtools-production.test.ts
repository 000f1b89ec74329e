import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { SOURCE_ALIASES } from '../../scripts/entries.ts';

/** Texts of the panel that minifying keeps. */
const CODE = /Drop the connection|durable-devtools|Go offline/;

/** Bundles an app with the panel. */
async function bundle(mode: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ['tests/samples/react/devtools.tsx'],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    packages: 'external',
    plugins: [
      {
        name: 'sources',
        setup(setup) {
          setup.onResolve({ filter: /^durable-proxy/ }, ({ path }) => ({
            path: SOURCE_ALIASES.find(({ find }) => find.test(path))!.replacement,
            sideEffects: false,
          }));
        },
      },
    ],
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
  });
  return outputFiles[0]!.text;
}

it('a bundle for production contains none of the code of the devtools', async () => {
  expect(await bundle('production')).not.toMatch(CODE);
  expect(await bundle('development')).toMatch(CODE);
});
