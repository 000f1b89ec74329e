import { defineConfig } from 'vitest/config';
import { SOURCE_ALIASES } from './scripts/entries.ts';
import otherMajors from './tests/react/vitest.config.ts';

const exclude = ['**/node_modules/**', '**/dist/**'];

const shared = {
  testTimeout: 30_000,
  hookTimeout: 30_000,
  // Real sockets and real clocks: a failure is a failure, never a retry.
  retry: 0,
  // The default of 1 s is too short for a condition on a busy machine.
  expect: { poll: { timeout: 20_000 } },
};

export default defineConfig({
  test: {
    // Twice the cores of CI. Most tests wait for sockets and timers: the unit tests take 3 minutes with four workers
    // and 9 with two, using 2 minutes of each core.
    maxWorkers: 4,
    projects: [
      {
        resolve: { alias: SOURCE_ALIASES },
        test: {
          ...shared,
          name: 'unit',
          include: ['**/*.test.{ts,tsx}'],
          exclude: [...exclude, 'tests/browser/**', 'tests/package/**'],
        },
      },
      {
        resolve: { alias: SOURCE_ALIASES },
        test: {
          ...shared,
          name: 'browser',
          include: ['tests/browser/**/*.test.ts'],
          exclude,
          globalSetup: 'tests/browser/build.ts',
          // Behind the others, so that a browser's hunger disturbs no measuring of milliseconds.
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'package',
          include: ['tests/package/**/*.test.ts'],
          exclude,
          globalSetup: 'tests/package/pack.ts',
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 240_000,
        },
      },
      ...(otherMajors.test?.projects ?? []),
    ],
  },
});
