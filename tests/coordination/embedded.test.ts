import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vitest from 'vitest';
import { silentLogger } from '../../server/shared/logger.ts';
import { embeddedStore, type StreamStore } from '../../server/store/embedded/index.ts';
import { describeCoordinator } from '../../server/testing/coordinator/index.ts';

describeCoordinator(
  vitest,
  'the embedded coordinator',
  async (ttlSeconds) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-coordination-'));
    const stores = new Set<StreamStore>();
    const disposeAll = async () => {
      for (const store of stores) await store.dispose();
      stores.clear();
    };
    return {
      async join() {
        const store = embeddedStore({ dataDir, sweepIntervalMs: 50 });
        stores.add(store);
        const coordinator = store.coordinate!({ logger: silentLogger, ttlSeconds });
        await store.open();
        return { coordinator, kill: () => store.dispose() };
      },
      restart: disposeAll,
      async dispose() {
        await disposeAll();
        await rm(dataDir, { recursive: true });
      },
    };
  },
  { exclusive: true },
);
