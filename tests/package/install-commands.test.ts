import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { transform } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { SAMPLES } from '../samples/support/bundle.ts';
import { startFront, type Front } from '../samples/support/front.ts';
import { ANSWER, startModel, type StandInModel } from '../samples/support/model.ts';
import { emptyFolder, freePort, runCommand, startCommand, type Command } from './commands.ts';

const SECRETS = {
  JWT_SECRET: 'a-secret-of-the-samples-that-is-long-enough',
  CHAT_KEY: 'a-key-of-the-samples',
};

/** What an app made by `npm create vite` with React has, without TypeScript. */
const VITE_APP = {
  private: true,
  type: 'module',
  dependencies: { react: '^19', 'react-dom': '^19' },
  devDependencies: { vite: '^8', '@vitejs/plugin-react': '^6' },
};

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

  it('[install/react.sh] installs what the page of docs/react.md needs to be built', async () => {
    const cwd = folder.path;
    await writeFile(join(cwd, 'package.json'), JSON.stringify(VITE_APP));
    await runCommand(await installCommand('install/react.sh'), { cwd });
    await mkdir(join(cwd, 'src'));
    await copyFile(join(SAMPLES, 'react/vite.config.ts'), join(cwd, 'vite.config.ts'));
    await copyFile(join(SAMPLES, 'react/chat.tsx'), join(cwd, 'src/chat.tsx'));
    await writeFile(
      join(cwd, 'index.html'),
      '<!doctype html><div id="root"></div><script type="module" src="/src/main.tsx"></script>',
    );
    await writeFile(
      join(cwd, 'src/main.tsx'),
      `import { createRoot } from 'react-dom/client';
import { Chat } from './chat.tsx';
createRoot(document.getElementById('root')!).render(<Chat id="1" />);`,
    );
    await runCommand('npx --no-install vite build', { cwd });
    const assets = await readdir(join(cwd, 'dist/assets'));
    const files = assets.filter((name) => name.endsWith('.js'));
    const scripts = await Promise.all(files.map((name) => readFile(join(cwd, 'dist/assets', name), 'utf8')));
    expect(scripts.join('\n')).toContain('/v1/proxy');
  });

  describe('[install/server.sh]', () => {
    let front: Front;
    let model: StandInModel;
    beforeAll(async () => {
      [front, model] = await Promise.all([startFront(), startModel()]);
    });
    afterAll(() => Promise.all([front.close(), model.close()]));

    it('installs what the server of docs/react.md needs to answer', async () => {
      const cwd = folder.path;
      await runCommand(await installCommand('install/server.sh'), { cwd });
      const source = await readFile(join(SAMPLES, 'react/express-server.ts'), 'utf8');
      // Removes the types, which Node 20 does not read.
      const { code } = await transform(source, { loader: 'ts', format: 'esm', target: 'node20' });
      await writeFile(join(cwd, 'server.mjs'), code);
      const port = await freePort();
      command = startCommand('exec node server.mjs', {
        cwd,
        env: {
          ...SECRETS,
          PORT: String(port),
          APP_URL: front.origin,
          OPENAI_BASE_URL: model.url,
          OPENAI_API_KEY: 'sk-stand-in',
        },
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
