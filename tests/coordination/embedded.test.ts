import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as vitest from 'vitest';
import { silentLogger } from '../../server/shared/logger.ts';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { describeCoordinator } from '../../server/testing/coordinator/index.ts';
import { OpenStores } from '../support/open-stores.ts';

describeCoordinator(
  vitest,
  'the embedded coordinator',
  async (ttlSeconds) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-coordination-'));
    const stores = new OpenStores();
    return {
      async join() {
        const store = stores.add(embeddedStore({ dataDir, sweepIntervalMs: 50 }));
        const coordinator = store.coordinate!({ logger: silentLogger, ttlSeconds });
        await store.open();
        return { coordinator, kill: () => store.dispose() };
      },
      restart: stores.disposeAll,
      async dispose() {
        await stores.disposeAll();
        await rm(dataDir, { recursive: true });
      },
    };
  },
  { exclusive: true },
);
