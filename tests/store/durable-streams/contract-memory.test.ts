import { vi } from 'vitest';
import { describeStore } from '../contract/index.ts';
import { overReference } from './contract.ts';

// A thousand streams take some 20,000 requests, which is slow if other tests use the processors.
vi.setConfig({ testTimeout: 120_000 });

describeStore('durable-streams (memory)', overReference({ mode: 'memory' }));
