import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { SAMPLES } from '../samples/support/bundle.ts';
import { startFront, type Front } from '../samples/support/front.ts';
import { ANSWER, startModel, type StandInModel } from '../samples/support/model.ts';
import { emptyFolder, freePort, runCommand, startCommand, type Command } from './commands.ts';

/** The command as the document shows it, with the packed package in place of the published one. */
async function installCommand(sample: string): Promise<string> {
  const text = await readFile(join(SAMPLES, sample), 'utf8');
  const command = text.replace(/^npm install durable-proxy(?=\s)/m, () => `npm install ${inject('tarball')}`);
  if (command === text) throw new Error(`${sample} does not install durable-proxy`);
  return command;
}

describe('the install commands of README and docs, in an empty folder', () => {
  let folder: Awaited<ReturnType<typeof emptyFolder>>;
  let command: Command | undefined;

  beforeEach(async () => {
    folder = await emptyFolder();
  });
  afterEach(async () => {
    await command?.stop();
    command = undefined;
    await folder.remove();
  });

  /** Runs the commands of a new app, up to this sample. */
  const install = async (sample: string): Promise<void> => {
    const create = await readFile(join(SAMPLES, 'install/vite.sh'), 'utf8');
    await runCommand(create, { cwd: folder.path });
    await runCommand(await installCommand(sample), { cwd: folder.path });
  };
  const copySample = (sample: string, file: string): Promise<void> =>
    copyFile(join(SAMPLES, sample), join(folder.path, file));

  it('[install/vite.sh] and [install/react.sh] install what the page of docs/react.md needs to be built', async () => {
    const cwd = folder.path;
    await install('install/react.sh');
    await mkdir(join(cwd, 'src'));
    await copySample('react/vite.config.ts', 'vite.config.ts');
    await copySample('react/index.html', 'index.html');
    await copySample('react/main.tsx', 'src/main.tsx');
    await copySample('react/chat.tsx', 'src/chat.tsx');
    await runCommand('npx --no-install vite build', { cwd });
    const assets = await readdir(join(cwd, 'dist/assets'));
    const files = assets.filter((name) => name.endsWith('.js'));
    const scripts = await Promise.all(files.map((name) => readFile(join(cwd, 'dist/assets', name), 'utf8')));
    expect(scripts.join('\n')).toContain('/v1/proxy');
  });

  describe('[install/server.sh] and [install/start-server.sh]', () => {
    let front: Front;
    let model: StandInModel;
    beforeAll(async () => {
      [front, model] = await Promise.all([startFront(), startModel()]);
    });
    afterAll(() => Promise.all([front.close(), model.close()]));

    it('install and start the server of docs/react.md', async () => {
      await install('install/server.sh');
      await copySample('react/express-server.ts', 'server.ts');
      const port = await freePort();
      command = startCommand(await readFile(join(SAMPLES, 'install/start-server.sh'), 'utf8'), {
        cwd: folder.path,
        env: { PORT: String(port), APP_URL: front.origin, OPENAI_BASE_URL: model.url },
      });
      await command.listens(port);
      front.route({ '/': `http://127.0.0.1:${port}` });
      const durableFetch = createDurableFetch({ proxyUrl: `${front.origin}/v1/proxy` });
      const messages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'On drops of water' }] }];
      const response = await durableFetch(`${front.origin}/api/chat`, {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages }),
      });
      const text = await response.text();
      const deltas = [...text.matchAll(/"delta":"([^"]*)"/g)].map(([, delta]) => delta);
      expect(deltas.join('')).toBe(ANSWER);
    });
  });

  it('[install/package.sh] installs the command that [install/command-line.sh] starts', async () => {
    const cwd = folder.path;
    await runCommand(await installCommand('install/package.sh'), { cwd });
    const start = await readFile(join(SAMPLES, 'install/command-line.sh'), 'utf8');
    expect(start).toContain('--port 4440');
    command = startCommand(start.replace('--port 4440', '--port 0'), { cwd });
    const [, url] = await command.printed(/"url":"(http:[^"]+)"/);
    const health = await fetch(`${url!.replace('0.0.0.0', '127.0.0.1')}/health`);
    expect(await health.json()).toEqual({ status: 'ok' });
  });
});
