import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { describeStore } from './contract/index.ts';

for (const durability of ['disk', 'process'] as const) {
  describeStore(`embeddedStore with durability '${durability}'`, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'durable-proxy-store-'));
    const open = async () => {
      const store = embeddedStore({ dataDir, durability, sweepIntervalMs: 50 });
      await store.open();
      return store;
    };
    let store = await open();
    return {
      store,
      async reopen() {
        await store.dispose();
        store = await open();
        return store;
      },
      async dispose() {
        await store.dispose();
        await rm(dataDir, { recursive: true });
      },
      options: { exclusive: true, smallestTtlSeconds: 1 },
    };
  });
}
