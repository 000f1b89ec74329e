import { beforeEach, vi } from 'vitest';
import { describeStore } from '../contract/index.ts';
import { overReference } from './contract.ts';

// A thousand streams take some 20,000 requests, which is slow only where other tests take the processors.
vi.setConfig({ testTimeout: 120_000 });

/** What the reference server's file mode cannot keep, by the title of the test that shows it, and why. */
const CANNOT_KEEP: Readonly<Record<string, string>> = {
  'is one step with its last bytes: nobody sees them without the end':
    'its reads show bytes that lie in the file already, before their append, and the closing with it, is committed',
};

beforeEach(({ task, skip }) => {
  const why = CANNOT_KEEP[task.name];
  if (why !== undefined) skip(why);
});

describeStore('durable-streams (file)', overReference({ mode: 'file' }));
