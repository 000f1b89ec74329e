import type { KnipConfig } from 'knip';
import { ENTRIES } from './scripts/entries.ts';

const config: KnipConfig = {
  entry: [
    ...Object.values(ENTRIES),
    'demo/{agent,server}/{main,start}.ts',
    'demo/vite.config.ts',
    'inspector-page/{main,vite.config}.ts',
    'demo/web/main.tsx',
    'bench/**/*.ts',
    'examples/**/*.{ts,tsx,mjs,js}',
    'scripts/*.mjs',
    '**/*.test.{ts,tsx}',
    'tests/**/*.{ts,tsx}',
    'tests/samples/**/*.mjs',
  ],
  project: ['**/*.{ts,tsx,mjs,js}'],
  ignoreDependencies: [
    'publint',
    '@arethetypeswrong/cli',
    // Of examples, which have packages of their own.
    '@tanstack/ai-openai',
    'next',
    '@react-native-async-storage/async-storage',
    '@react-native-community/netinfo',
    'expo',
    'expo-crypto',
    'react-native',
    'web-streams-polyfill',
    // Of a sample, whose test replaces it.
    '@tanstack/react-router',
    // Imported by components, which knip does not read.
    '@ai-sdk/svelte',
    '@ai-sdk/vue',
    // Loaded into a page by its path.
    'axe-core',
    // Runtimes that tests start.
    'bun',
    'deno',
    'ai-openai5',
    'ai-openai7',
    'ai-react5',
    'ai-react7',
  ],
  ignoreBinaries: ['taskset', 'unshare'],
  ignoreExportsUsedInFile: true,
};

export default config;
