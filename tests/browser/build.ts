import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { buildInspectorPage } from '../inspector/build-page.ts';
import { findCommand } from '../requirements.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The built demo: `server/main.js` and `web/`. Undefined without Chromium, because no test runs then. */
    demoFolder: string | undefined;
  }
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the demo once for all browser tests, from the sources, beside what `npm start` builds. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (findCommand('browser') === undefined) {
    project.provide('demoFolder', undefined);
    return undefined;
  }
  // Below node_modules, so that the built server finds its packages.
  const folder = join(root, `node_modules/.cache/durable-proxy-demo-${process.pid}`);
  await buildInspectorPage();
  await Promise.all([
    viteBuild('--outDir', join(folder, 'web')),
    viteBuild('--ssr', '--emptyOutDir', '--outDir', join(folder, 'server')),
  ]);
  project.provide('demoFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}

/** In a process of its own, because Vitest sets NODE_ENV to `test`, for which Vite includes React's development build. */
async function viteBuild(...options: string[]): Promise<void> {
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  await promisify(execFile)(process.execPath, [vite, 'build', 'demo', '--logLevel', 'warn', ...options], {
    cwd: root,
    env: { ...process.env, NODE_ENV: 'production' },
  });
}
