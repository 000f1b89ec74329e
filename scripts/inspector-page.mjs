// Builds the operator's page into dist/inspector-page/ (also `node scripts/inspector-page.mjs`).
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export async function buildPage() {
  const root = fileURLToPath(new URL('../inspector-page', import.meta.url));
  await build({ root, configFile: `${root}/vite.config.ts`, logLevel: 'warn' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage();
