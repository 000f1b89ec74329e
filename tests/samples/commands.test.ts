import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCommand } from '../package/commands.ts';
import { SECRET, startProxy } from '../support/proxy.ts';
import { bundleServer, SAMPLES } from './support/bundle.ts';
import { sampleFolder } from './support/load.ts';

it('[server/conformance.sh] tests everything of a server that is visible from outside', async () => {
  const cwd = await sampleFolder();
  const proxy = await startProxy();
  try {
    // Stands for the installed package.
    await bundleServer('../../server/bin.ts', join(cwd, 'durable-proxy.mjs'));
    const bin = join(cwd, 'node_modules/.bin');
    await mkdir(bin, { recursive: true });
    const shim = `#!/bin/sh\nexec '${process.execPath}' '${join(cwd, 'durable-proxy.mjs')}' "$@"\n`;
    await writeFile(join(bin, 'durable-proxy'), shim, { mode: 0o755 });

    const sample = await readFile(join(SAMPLES, 'server/conformance.sh'), 'utf8');
    const script = sample.replace('http://localhost:4440', proxy.url);
    expect(script).not.toBe(sample);
    const report = await runCommand(script, { cwd, env: { JWT_SECRET: SECRET } });
    expect(report).toMatch(/[1-9]\d+ passed, 0 failed/);
  } finally {
    await proxy.stop();
    await rm(cwd, { recursive: true, force: true });
  }
}, 120_000);
