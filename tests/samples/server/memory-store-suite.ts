import * as vitest from 'vitest';
import { describeByteStore } from 'durable-proxy/testing';
import { MemoryStore } from './memory-store.ts';

describeByteStore(
  vitest,
  'MemoryStore',
  async () => {
    const logs = new Map();
    let store = new MemoryStore(logs);
    await store.open();
    return {
      store,
      async reopen() {
        await store.dispose();
        store = new MemoryStore(logs);
        await store.open();
        return store;
      },
      dispose: () => store.dispose(),
    };
  },
  ['annotate', 'adopt'],
);
