import { beforeEach, vi } from 'vitest';
import { describeStore } from '../contract/index.ts';
import { overReference } from './contract.ts';

// A thousand streams take some 20,000 requests, which is slow if other tests use the processors.
vi.setConfig({ testTimeout: 120_000 });

/** Tests that the reference server's file mode fails, by title, with the reason. */
const CANNOT_KEEP: Readonly<Record<string, string>> = {
  'appends its last bytes and closes in one step: no reader sees them without the end':
    'its reads return bytes that are in the file already, before the append and its close are committed',
};

beforeEach(({ task, skip }) => {
  const why = CANNOT_KEEP[task.name];
  if (why !== undefined) skip(why);
});

describeStore('durable-streams (file)', overReference({ mode: 'file' }));
