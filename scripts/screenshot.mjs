// Takes the README's picture of the demo: an answer that was cut and continues (`npm run screenshot`).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-screenshot-'));
const server = spawn(process.execPath, ['demo/dist/server/start.js'], {
  env: { PATH: process.env.PATH, PORT: '0', DATA_DIR: dataDir },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
});
try {
  const [line] = await once(server.stdout, 'data');
  const page = await browser.newPage({
    viewport: { width: 1200, height: 720 },
    deviceScaleFactor: 1.5,
    colorScheme: 'light',
  });
  const shows = (text) => page.waitForFunction((wanted) => document.body.innerText.includes(wanted), text);
  await page.goto(/http:\S+/.exec(String(line))[0]);
  await page.getByRole('button', { name: /What happens/ }).click();
  await shows('the only reader');
  await page.evaluate(() =>
    fetch('/demo/offline', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ seconds: 1.5 }),
    }),
  );
  await shows('Resumed at offset');
  await shows('The page reads from an offset. It knows the last byte');
  await page.screenshot({ path: 'docs/images/demo.png' });
} finally {
  await browser.close();
  server.kill('SIGTERM');
  await once(server, 'exit');
  await rm(dataDir, { recursive: true, force: true });
}
