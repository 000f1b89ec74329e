import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { emptyFolder, runCommand } from '../package/commands.ts';
import { SECRET, startProxy } from '../support/proxy.ts';
import { ROOT, SAMPLES } from './support/bundle.ts';

it('[server/conformance.sh] tests a server against all that can be seen from outside', async () => {
  const folder = await emptyFolder();
  const proxy = await startProxy();
  try {
    // Stands for the installed package: the command runs from the sources.
    const bin = join(folder.path, 'node_modules/.bin');
    const tsx = pathToFileURL(join(ROOT, 'node_modules/tsx/dist/loader.mjs')).href;
    await mkdir(bin, { recursive: true });
    await writeFile(
      join(bin, 'durable-proxy'),
      `#!/bin/sh\nexec '${process.execPath}' --import '${tsx}' '${join(ROOT, 'server/bin.ts')}' "$@"\n`,
    );
    await chmod(join(bin, 'durable-proxy'), 0o755);
    const sample = await readFile(join(SAMPLES, 'server/conformance.sh'), 'utf8');
    const script = sample.replace('http://localhost:4440', proxy.url);
    expect(script).not.toBe(sample);
    const report = await runCommand(script, { cwd: folder.path, env: { JWT_SECRET: SECRET } });
    expect(report).toMatch(/[1-9]\d+ passed, 0 failed/);
  } finally {
    await proxy.stop();
    await folder.remove();
  }
});
