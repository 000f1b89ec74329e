import { defineConfig } from 'vitest/config';
import { SOURCE_ALIASES } from './scripts/entries.ts';
import otherMajors from './tests/react/vitest.config.ts';
import { LongestFirst } from './tests/support/longest-first.ts';

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
    // Twice the cores of CI. With more, tests that bound a time in seconds fail.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
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
          // After the unit tests, which measure milliseconds, and before the package's, whose builds and installations
          // would slow down the browser.
          sequence: { groupOrder: 1 },
          maxWorkers: 2,
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
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 240_000,
        },
      },
      ...(otherMajors.test?.projects ?? []),
    ],
  },
});
