import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleServer, ROOT, type BundleOptions } from './bundle.ts';

/** Creates a folder below node_modules, so that bundled samples in it find their packages. */
export async function sampleFolder(): Promise<string> {
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  return mkdtemp(join(cache, 'durable-proxy-sample-'));
}

/**
 * Imports a sample into this process. Each call returns a new instance with a client of its own, as a reload of a
 * page does.
 */
export async function loadSample<Module>(sample: string, options: BundleOptions = {}): Promise<Module> {
  const folder = await sampleFolder();
  try {
    const file = join(folder, 'sample.mjs');
    await bundleServer(sample, file, options);
    return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Module;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
