import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer } from 'vite';
import { SOURCE_ALIASES } from '../../scripts/entries.ts';
import { SAMPLES } from '../samples/support/bundle.ts';
import type { Front } from '../samples/support/front.ts';
import { sampleFolder } from '../samples/support/load.ts';
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
  '[react/vite.config.ts] lets Vite forward /v1/proxy and /api/chat to Express',
  {
    async start(front, model) {
      const server = await startServer(front, model);
      const folder = await sampleFolder();
      const config = await readFile(join(SAMPLES, 'react/vite.config.ts'), 'utf8');
      const configFile = join(folder, 'vite.config.ts');
      await writeFile(configFile, config.replaceAll('http://localhost:3000', server.url));
      const main = renderEntry('react/chat.tsx', 'Chat', '<Chat id={location.search} />');
      const vite = await createServer({
        configFile,
        root: SAMPLES,
        cacheDir: join(folder, 'cache'),
        logLevel: 'warn',
        resolve: { alias: SOURCE_ALIASES },
        server: { port: 0, host: '127.0.0.1', hmr: false, allowedHosts: true },
        optimizeDeps: { entries: ['react/chat.tsx'], include: ['react-dom/client'] },
        plugins: [
          {
            name: 'page',
            resolveId: (id) => (id === '/main.tsx' ? join(SAMPLES, 'main.tsx') : null),
            load: (id) => (id === join(SAMPLES, 'main.tsx') ? main : null),
            configureServer: ({ middlewares }) => {
              middlewares.use('/', (request, response, next) => {
                if (!/^\/(\?|$)/.test(request.url!)) return next();
                response
                  .setHeader('content-type', 'text/html')
                  .end(
                    '<!doctype html><link rel="icon" href="data:,"><div id="root"></div><script type="module">import "/@react-refresh";</script><script type="module" src="/main.tsx"></script>',
                  );
              });
            },
          },
        ],
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
