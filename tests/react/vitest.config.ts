import { defineConfig } from 'vitest/config';

/** Runs the suite of the hook with the other majors of the AI SDK: an aliased package replaces the SDK in its imports. */
const major = (number: 5 | 7) => ({
  resolve: {
    alias: [
      { find: /^@ai-sdk\/react$/, replacement: `ai-react${number}` },
      { find: /^ai$/, replacement: `ai${number}` },
    ],
  },
  test: {
    name: `ai${number}`,
    // The other suites use no more of the SDK than these: they are about storage, cookies, faults and other devices.
    include: [
      'use-chat',
      'use-durable-chat',
      'use-durable-chat-model',
      'use-durable-chat-stop',
      'use-durable-chat-tools',
    ].map((suite) => `tests/react/${suite}.test.tsx`),
    testTimeout: 30_000,
    hookTimeout: 30_000,
    retry: 0,
    expect: { poll: { timeout: 20_000 } },
  },
});

export default defineConfig({ test: { projects: [major(5), major(7)] } });
