import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { compile, compileModule } from 'svelte/compiler';
import { compileScript, parse } from 'vue/compiler-sfc';
import { SOURCE_ALIASES } from '../../../scripts/entries.ts';

export const SAMPLES = join(import.meta.dirname, '..');
export const ROOT = join(SAMPLES, '../..');

/** The majors of the AI SDK that samples run on: 6 is installed as `ai`, the others under aliases. */
export type AiMajor = 5 | 6 | 7;

export interface BundleOptions {
  /** Replaces text in samples, such as a port that a test cannot choose. Each text must be in the sample. */
  readonly replace?: Readonly<Record<string, string>>;
  /** @default 6 */
  readonly ai?: AiMajor;
}

/** Bundles a sample as a browser loads it, together with the sources of `durable-proxy`. */
export async function bundlePage(entry: string, options: BundleOptions = {}): Promise<string> {
  const result = await build({
    stdin: { contents: entry, resolveDir: SAMPLES, loader: 'tsx', sourcefile: 'entry.tsx' },
    bundle: true,
    write: false,
    // package.json has `sideEffects: false`, which samples without exports do not obey.
    ignoreAnnotations: true,
    platform: 'browser',
    format: 'esm',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    conditions: ['svelte'],
    plugins: [resolveSources(options), compileComponents],
    logLevel: 'silent',
  });
  return result.outputFiles[0]!.text;
}

/** Bundles a sample for Node.js with the sources of `durable-proxy`; other packages are imported as usual. */
export async function bundleServer(
  entry: string,
  outfile: string,
  options: BundleOptions = {},
): Promise<void> {
  await build({
    entryPoints: [join(SAMPLES, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    plugins: [resolveSources(options), externalPackages(options)],
    logLevel: 'silent',
  });
}

/** Maps `durable-proxy` to its sources and applies `replace` to the samples. */
function resolveSources({ replace = {}, ai = 6 }: BundleOptions): Plugin {
  return {
    name: 'samples',
    setup(build) {
      build.onResolve({ filter: /^durable-proxy(\/|$)/ }, ({ path }) => ({
        path: SOURCE_ALIASES.find(({ find }) => find.test(path))!.replacement,
      }));
      if (build.initialOptions.platform === 'browser' && ai !== 6)
        build.onResolve({ filter: /^@ai-sdk\/react$/ }, ({ kind, resolveDir }) =>
          build.resolve(`ai-react${ai}`, { kind, resolveDir }),
        );
      build.onLoad({ filter: /tests\/samples\/[^/]+\/[^/]+\.(mjs|tsx?)$/ }, async ({ path }) => {
        let contents = await readFile(path, 'utf8');
        for (const [text, replacement] of Object.entries(replace))
          contents = contents.replaceAll(text, () => replacement);
        return { contents, loader: path.endsWith('x') ? 'tsx' : 'ts', resolveDir: dirname(path) };
      });
    },
  };
}

/** Compiles components of Vue and Svelte, and modules of Svelte. */
const compileComponents: Plugin = {
  name: 'components',
  setup(build) {
    build.onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor } = parse(await readFile(path, 'utf8'), { filename: path });
      const { content } = compileScript(descriptor, { id: path, inlineTemplate: true });
      return { contents: content, loader: 'js', resolveDir: dirname(path) };
    });
    build.onLoad({ filter: /\.svelte(\.js)?$/ }, async ({ path }) => {
      const compileFile = path.endsWith('.js') ? compileModule : compile;
      const { js } = compileFile(await readFile(path, 'utf8'), { filename: path, generate: 'client' });
      return { contents: js.code, loader: 'js', resolveDir: dirname(path) };
    });
  },
};

function externalPackages({ ai = 6 }: BundleOptions): Plugin {
  const aliases: Readonly<Record<string, string>> =
    ai === 6 ? {} : { ai: `ai${ai}`, '@ai-sdk/openai': `ai-openai${ai}` };
  return {
    name: 'external-packages',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
        kind === 'entry-point' || path.startsWith('durable-proxy')
          ? undefined
          : { path: aliases[path] ?? path, external: true },
      );
    },
  };
}
