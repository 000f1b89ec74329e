import { cp, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import webpack, { type Configuration } from 'webpack';
import { SAMPLES } from '../samples/support/bundle.ts';
import { emptyFolder, freePort, runCommand, startCommand } from './commands.ts';
import { exec, installConsumer, type Consumer } from './consumer.ts';
import { EXAMPLES } from './example.ts';

/** Starts a server with the embedded store. Returns the status of /health, or why the server could not start. */
const TRY_PROXY = `
import { createProxyServer } from 'durable-proxy';
async function tryProxy() {
  try {
    const server = await createProxyServer({ port: 0, dataDir: 'streams', jwtSecret: 'a-secret-that-is-long-enough' });
    const { status } = await fetch(server.url + '/health');
    await server.stop();
    return 'health ' + status;
  } catch (error) {
    return 'error ' + error.message;
  }
}`;

const PROGRAM = `${TRY_PROXY}
tryProxy().then((result) => console.log(result));`;

/** The smallest app of Next.js: a page, and a route handler that starts the proxy. */
const NEXT_APP = {
  'layout.jsx':
    'export default function Layout({ children }) { return <html><body>{children}</body></html>; }',
  'page.jsx': 'export default function Page() { return null; }',
  'try/route.js': `${TRY_PROXY}
export const dynamic = 'force-dynamic';
export const GET = async () => new Response(await tryProxy());`,
};

describe('a server that is bundled', () => {
  let consumer: Consumer;

  beforeAll(async () => {
    const manifest = await readFile(join(EXAMPLES, 'nextjs-chat/package.json'), 'utf8');
    const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
    const packages = ['next', 'react', 'react-dom'].map((name) => `${name}@${dependencies[name]}`);
    consumer = await installConsumer(inject('tarball'), packages);
    await writeFile(join(consumer.folder, 'server.mjs'), PROGRAM);
  });
  afterAll(() => consumer?.remove());

  /** Copies the sample to the app and returns its default export. */
  async function configuration(name: string): Promise<unknown> {
    const file = join(consumer.folder, name);
    await cp(join(SAMPLES, 'deployment', name), file);
    return ((await import(pathToFileURL(file).href)) as { default: unknown }).default;
  }

  async function outputOf(file: string): Promise<string> {
    const { stdout } = await exec(process.execPath, [file], { cwd: consumer.folder });
    return stdout.trim();
  }

  async function outputWithEsbuild(external: string[]): Promise<string> {
    const file = `esbuild-${external.length}.cjs`;
    await build({
      absWorkingDir: consumer.folder,
      entryPoints: ['server.mjs'],
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      external,
      logLevel: 'error',
    });
    return outputOf(file);
  }

  it('starts if esbuild leaves lmdb out', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the packages could not be installed: no network?');
    expect(await outputWithEsbuild(['lmdb'])).toBe('health 200');
  });

  it('says how to keep lmdb out of the bundle if it is bundled', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the packages could not be installed: no network?');
    expect(await outputWithEsbuild([])).toMatch(/^error .*LMDB could not be loaded.*external: \['lmdb'\]/);
  });

  it('[deployment/webpack.config.mjs] starts if webpack leaves lmdb out', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the packages could not be installed: no network?');
    const sample = (await configuration('webpack.config.mjs')) as Configuration;
    const output = { ...sample.output, path: join(consumer.folder, 'dist') };
    const compiler = webpack({
      ...sample,
      output,
      context: consumer.folder,
      mode: 'development',
      devtool: false,
    });
    const problems = await new Promise<unknown[]>((resolve) => {
      compiler.run((error, stats) => resolve(error === null ? stats!.toJson().errors! : [error]));
    });
    expect(problems).toEqual([]);
    expect(await outputOf('dist/server.cjs')).toBe('health 200');
  });

  it('[deployment/next.config.mjs] starts from the standalone folder of Next.js', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the packages could not be installed: no network?');
    await configuration('next.config.mjs');
    for (const [name, text] of Object.entries(NEXT_APP)) {
      const file = join(consumer.folder, 'app', name);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, text);
    }
    const env = { NEXT_TELEMETRY_DISABLED: '1' };
    await runCommand('npx --no-install next build', { cwd: consumer.folder, env });

    // Elsewhere, because Node would find what is missing in the node_modules of the app.
    const { path, remove } = await emptyFolder();
    await rename(join(consumer.folder, '.next/standalone'), join(path, 'app'));
    const port = await freePort();
    const server = startCommand('node server.js', {
      cwd: join(path, 'app'),
      env: { ...env, PORT: String(port), HOSTNAME: '127.0.0.1' },
    });
    try {
      await server.listens(port);
      const response = await fetch(`http://127.0.0.1:${port}/try`);
      expect(await response.text()).toBe('health 200');
    } finally {
      await server.stop();
      await remove();
    }
  }, 240_000);
});
