// Packs the contents of dist/ and checks that the package works for apps: publint, attw, the sources that declaration maps name,
// and the size in a browser.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const exec = promisify(execFile);

/**
 * Bytes after bundling, minifying and gzip, with dependencies but without peers, and without modules that are loaded at
 * their first use (`import()`).
 */
const BUDGETS = { client: 11_600, transports: undefined, react: undefined };
const PEERS = ['react', 'react-dom', 'react/*', 'ai', '@ai-sdk/*', '@tanstack/*'];

/** Leaves out the modules that `import()` loads. */
const withoutLazyModules = {
  name: 'without-lazy-modules',
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    );
  },
};

async function bundledSize(entry) {
  const { outputFiles } = await build({
    entryPoints: [`dist/${entry}.js`],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    external: PEERS,
    plugins: [withoutLazyModules],
    logLevel: 'error',
  });
  return gzipSync(outputFiles[0].contents, { level: 9 }).length;
}

const folder = await mkdtemp(join(tmpdir(), 'durable-proxy-pack-'));
try {
  const packed = await exec('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
  const [{ filename, size, files }] = JSON.parse(packed.stdout);
  const tarball = join(folder, filename);
  console.log(`  package: ${(size / 1024).toFixed(0)} kB packed`);

  const paths = new Set(files.map(({ path }) => path));
  for (const map of [...paths].filter((path) => /\.d\.c?ts\.map$/.test(path))) {
    const { sources } = JSON.parse(await readFile(map, 'utf8'));
    for (const source of sources.map((path) => posix.join(posix.dirname(map), path))) {
      if (paths.has(source)) continue;
      console.error(`${map} names ${source}, which is not in the package`);
      process.exitCode = 1;
    }
  }

  const checks = [
    ['publint', ['run', tarball, '--strict']],
    // All of TypeScript's resolutions, the old `node10` too: `typesVersions` serves it.
    ['attw', [tarball, '--profile', 'strict', '--format', 'ascii', '--no-emoji']],
  ].map(async ([command, args]) => {
    try {
      await exec('npx', ['--no-install', command, ...args]);
    } catch (error) {
      console.error(`${command}:\n${error.stdout}${error.stderr}`);
      process.exitCode = 1;
    }
  });
  await Promise.all(checks);
} finally {
  await rm(folder, { recursive: true, force: true });
}

for (const [entry, budget] of Object.entries(BUDGETS)) {
  const size = await bundledSize(entry);
  const limit = budget === undefined ? '' : ` of ${(budget / 1000).toFixed(1)}`;
  console.log(`  durable-proxy/${entry}: ${(size / 1000).toFixed(2)}${limit} kB minified and gzipped`);
  if (budget !== undefined && size > budget) {
    console.error(`durable-proxy/${entry} is over its budget`);
    process.exitCode = 1;
  }
}
