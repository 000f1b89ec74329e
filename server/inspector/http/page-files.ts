import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Files of the page, with their media types. The build writes them under these names. */
const FILES = {
  '': ['index.html', 'text/html; charset=utf-8'],
  'page.js': ['page.js', 'text/javascript; charset=utf-8'],
  'page.css': ['page.css', 'text/css; charset=utf-8'],
} as const;

export interface PageFile {
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** Reads each file of the page at its first request. */
export class PageFiles {
  readonly #files = new Map<string, PageFile>();

  /**
   * Returns a file.
   * @param name path below the mount.
   * @returns undefined if there is no file with this name.
   * @throws Error if the page is missing in the installation.
   */
  async get(name: string): Promise<PageFile | undefined> {
    if (!isName(name)) return undefined;
    const known = this.#files.get(name);
    if (known) return known;
    const [file, contentType] = FILES[name];
    const found = { contentType, bytes: await read(file) };
    this.#files.set(name, found);
    return found;
  }
}

function isName(name: string): name is keyof typeof FILES {
  return Object.hasOwn(FILES, name);
}

/** Finds the package by its name, from this file or, in a bundled server, from the directory of the process. */
function packageFolder(): string {
  const manifest = 'durable-proxy/package.json';
  try {
    return dirname(createRequire(import.meta.url).resolve(manifest));
  } catch {
    return dirname(createRequire(join(process.cwd(), 'index.js')).resolve(manifest));
  }
}

async function read(file: string): Promise<Buffer> {
  try {
    return await readFile(join(packageFolder(), 'dist/inspector-page', file));
  } catch (cause) {
    throw new Error(
      'The page of the inspector was not found. It is in the installed package (dist/inspector-page). If this server is ' +
        'bundled, keep "durable-proxy" out of the bundle',
      { cause },
    );
  }
}
