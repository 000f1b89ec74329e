import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { exec, installConsumer, type Consumer } from './consumer.ts';

/** Prints the status of /health, or why the server could not start. */
const PROGRAM = `
import { createProxyServer } from 'durable-proxy';
createProxyServer({ port: 0, dataDir: 'streams', jwtSecret: 'a-secret-that-is-long-enough' }).then(
  async (server) => {
    console.log('health', (await fetch(server.url + '/health')).status);
    await server.stop();
  },
  (error) => console.log('error', error.message),
);
`;

describe('a server that esbuild has bundled', () => {
  let consumer: Consumer;

  beforeAll(async () => {
    consumer = await installConsumer(inject('tarball'));
    await writeFile(join(consumer.folder, 'program.mjs'), PROGRAM);
  });
  afterAll(() => consumer?.remove());

  async function outputWith(external: string[]): Promise<string> {
    const file = `bundle-${external.length}.cjs`;
    await build({
      absWorkingDir: consumer.folder,
      entryPoints: ['program.mjs'],
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      external,
      logLevel: 'error',
    });
    const { stdout } = await exec(process.execPath, [file], { cwd: consumer.folder });
    return stdout.trim();
  }

  it('starts if lmdb is external', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
    expect(await outputWith(['lmdb'])).toBe('health 200');
  });

  it('says how to keep lmdb out of the bundle if it is bundled', async ({ skip }) => {
    if (consumer.unreachable !== undefined) skip('the package could not be installed: no network?');
    expect(await outputWith([])).toMatch(/^error .*LMDB could not be loaded.*external: \['lmdb'\]/);
  });
});
