// Starts the built demo and Chromium for the scripts that take its pictures.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

/**
 * Calls `use` with the address of a new demo and a browser, and ends both afterwards.
 * @param {(url: string, browser: import('playwright-core').Browser) => Promise<void>} use
 * @param {Record<string, string>} [env] of the demo
 */
export async function withDemo(use, env = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-screenshot-'));
  const server = spawn(process.execPath, ['demo/dist/server/start.js'], {
    env: { PATH: process.env.PATH, PORT: '0', DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--font-render-hinting=none'],
  });
  try {
    for await (const chunk of server.stdout) {
      const url = /durable-proxy demo: (http:\S+)/.exec(String(chunk))?.[1];
      if (url === undefined) continue;
      await use(url, browser);
      break;
    }
  } finally {
    await browser.close();
    if (server.exitCode === null) {
      server.kill('SIGTERM');
      await once(server, 'exit');
    }
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Resolves when the page shows the text. */
export const shows = (page, text) =>
  page.waitForFunction((wanted) => document.body.innerText.includes(wanted), text);

/** Types a question and sends it. */
export async function ask(page, question) {
  await page.getByLabel('Message', { exact: true }).fill(question);
  await page.getByRole('button', { name: 'Send' }).click();
}
