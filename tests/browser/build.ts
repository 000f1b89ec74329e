import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';
import { findCommand } from '../requirements.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The built demo: `server/main.js` and `web/`. Undefined without Chromium, when nobody needs it. */
    demoFolder: string | undefined;
  }
}

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the demo once for all browser tests, from the sources, beside what `npm start` builds. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (findCommand('chromium') === undefined) {
    project.provide('demoFolder', undefined);
    return undefined;
  }
  // Below node_modules, so that the built server finds its packages.
  const folder = join(root, `node_modules/.cache/durable-proxy-demo-${process.pid}`);
  const common = {
    root: join(root, 'demo'),
    configFile: join(root, 'demo/vite.config.ts'),
    logLevel: 'warn',
  } as const;
  await build({ ...common, build: { outDir: join(folder, 'web') } });
  await build({ ...common, build: { ssr: true, emptyOutDir: true, outDir: join(folder, 'server') } });
  project.provide('demoFolder', folder);
  return () => rm(folder, { recursive: true, force: true });
}
