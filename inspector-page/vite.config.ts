import { defineConfig } from 'vite';

/** The files have fixed names: the server sends them with `Cache-Control: no-store`. */
export default defineConfig({
  base: './',
  build: {
    outDir: '../dist/inspector-page',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    rollupOptions: {
      output: { entryFileNames: 'page.js', assetFileNames: 'page.[ext]', inlineDynamicImports: true },
    },
  },
});
