import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig, type Rollup } from 'vite';
import { SOURCE_ALIASES } from '../scripts/entries.ts';

/** Ignores warnings about comments in packages that Rollup cannot read. */
const onwarn: Rollup.InputOptions['onwarn'] = (warning, warn) => {
  if (warning.code !== 'INVALID_ANNOTATION') warn(warning);
};

const source = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Two builds: the page into dist/web, and with `--ssr` the server into dist/server. */
export default defineConfig(({ isSsrBuild }) => ({
  root: import.meta.dirname,
  plugins: [react()],
  resolve: { alias: SOURCE_ALIASES },
  build: isSsrBuild
    ? {
        outDir: 'dist/server',
        target: 'node20.19',
        copyPublicDir: false,
        rollupOptions: {
          input: {
            agent: source('agent/main.ts'),
            main: source('server/main.ts'),
            start: source('server/start.ts'),
          },
          onwarn,
        },
      }
    : {
        outDir: 'dist/web',
        emptyOutDir: true,
        target: 'es2022',
        // The AI SDK includes its schemas.
        chunkSizeWarningLimit: 1000,
        rollupOptions: { onwarn },
      },
}));
