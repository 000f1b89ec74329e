import { defineConfig, type Options } from 'tsup';
import { ENTRIES, type EntryPoint } from './scripts/entries.ts';

const pick = (...names: EntryPoint[]) => Object.fromEntries(names.map((name) => [name, ENTRIES[name]]));

const common: Options = {
  outDir: 'dist',
  // What is not minified reads well enough in a stack trace; maps would be two thirds of the package.
  sourcemap: false,
  // What two entries share is one module in both formats: an error class is the same class in each of them.
  splitting: true,
  // `scripts/build.mjs` empties the folder once; here each configuration would remove the files of the others.
  clean: false,
  silent: true,
};

export default defineConfig([
  {
    ...common,
    name: 'server',
    entry: pick(
      'index',
      'web',
      'tokens',
      'embedded',
      'redis',
      'durable-streams',
      'opentelemetry',
      'inspector',
      'testing',
      'conformance',
    ),
    format: ['esm', 'cjs'],
    platform: 'node',
    target: 'node20.19',
    // `import.meta.url` in CommonJS.
    shims: true,
  },
  {
    ...common,
    name: 'client',
    entry: pick(
      'client',
      'sessions',
      'transports',
      'react',
      'react/status',
      'react/chat',
      'react/query',
      'react/devtools',
    ),
    format: ['esm', 'cjs'],
    platform: 'neutral',
    target: 'es2022',
  },
  {
    ...common,
    name: 'bin',
    entry: { bin: 'server/bin.ts' },
    format: ['esm'],
    platform: 'node',
    target: 'node20.19',
    // The command uses the package as anyone does, and finds it by its name.
    external: [/^durable-proxy(\/|$)/],
  },
]);
