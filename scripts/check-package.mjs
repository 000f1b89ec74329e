// Packs what dist/ holds and asks whether it works for others: publint, attw, and the size in a browser.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const exec = promisify(execFile);

/** Bytes after bundling, minifying and gzip, with dependencies but without peers. */
const BUDGETS = { client: 9 * 1024, transports: undefined, react: undefined };
const PEERS = /^(react|react-dom|ai|@ai-sdk\/.*|@tanstack\/.*)(\/|$)/;

async function bundledSize(entry) {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2022',
      lib: { entry: `dist/${entry}.js`, formats: ['es'], fileName: entry },
      // Vite keeps whitespace in ES libraries, for the sake of their next bundler.
      minify: 'esbuild',
      rollupOptions: { external: PEERS },
    },
    esbuild: { minifyWhitespace: true, minifyIdentifiers: true, minifySyntax: true },
  });
  const code = result[0].output.filter((file) => file.type === 'chunk').map((file) => file.code);
  return gzipSync(code.join('\n'), { level: 9 }).length;
}

const folder = await mkdtemp(join(tmpdir(), 'durable-proxy-pack-'));
try {
  const packed = await exec('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
  const [{ filename, size }] = JSON.parse(packed.stdout);
  const tarball = join(folder, filename);
  console.log(`  package: ${(size / 1024).toFixed(0)} kB packed`);

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
  const limit = budget === undefined ? '' : ` of ${(budget / 1024).toFixed(1)}`;
  console.log(`  durable-proxy/${entry}: ${(size / 1024).toFixed(1)}${limit} kB minified and gzipped`);
  if (budget !== undefined && size > budget) {
    console.error(`durable-proxy/${entry} is over its budget`);
    process.exitCode = 1;
  }
}
