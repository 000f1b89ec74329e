import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'vite';
import { SOURCE_ALIASES } from '../../scripts/entries.ts';
import { ROOT, SAMPLES } from '../samples/support/bundle.ts';
import type { Front } from '../samples/support/front.ts';
import type { StandInModel } from '../samples/support/model.ts';
import { startSample } from '../samples/support/server-process.ts';
import { testPage, type PageUse } from './page-contract.ts';
import { describeSample, renderEntry, SECRET } from './sample-page.ts';

const USE: PageUse = {
  async ask(page) {
    await page.getByLabel('Message').fill('On drops');
    await page.getByRole('button', { name: 'Send' }).click();
  },
  stop: 'Stop',
  retry: 'Try again',
  hasField: true,
};

async function startServer(front: Front, model: StandInModel) {
  const server = await startSample('react/express-server.ts', {
    JWT_SECRET: SECRET,
    CHAT_KEY: 'a-key-of-the-samples',
    APP_URL: front.origin,
    OPENAI_BASE_URL: model.url,
    OPENAI_API_KEY: 'sk-stand-in',
  });
  const url = `http://127.0.0.1:${server.port}`;
  front.route({ '/': url });
  return { ...server, url };
}

describeSample(
  '[react/chat.tsx] with [react/express-server.ts]',
  { entry: renderEntry('react/chat.tsx', 'Chat', '<Chat id={location.search} />'), start: startServer },
  (parts) => testPage(parts, USE),
);

describeSample(
  '[react/index.html], [react/main.tsx] and [react/vite.config.ts] are the page with [react/chat.tsx] in Vite',
  {
    async start(front, model) {
      const server = await startServer(front, model);
      const folder = await mkdtemp(join(tmpdir(), 'durable-proxy-vite-'));
      await mkdir(join(folder, 'src'));
      await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
      const config = await readFile(join(SAMPLES, 'react/vite.config.ts'), 'utf8');
      await writeFile(join(folder, 'vite.config.ts'), config.replaceAll('http://localhost:3000', server.url));
      await copyFile(join(SAMPLES, 'react/index.html'), join(folder, 'index.html'));
      for (const file of ['main.tsx', 'chat.tsx'])
        await copyFile(join(SAMPLES, 'react', file), join(folder, 'src', file));
      const vite = await createServer({
        root: folder,
        cacheDir: join(folder, 'cache'),
        logLevel: 'warn',
        resolve: { alias: SOURCE_ALIASES },
        // The sources of durable-proxy are outside of this folder.
        server: { port: 0, host: '127.0.0.1', hmr: false, allowedHosts: true, fs: { strict: false } },
      });
      await vite.listen();
      front.route({ '/': vite.resolvedUrls!.local[0]!.replace(/\/$/, '') });
      return {
        async dispose() {
          await vite.close();
          await server.dispose();
          await rm(folder, { recursive: true, force: true });
        },
      };
    },
  },
  (parts) => testPage(parts, { ...USE, faults: [] }),
);
