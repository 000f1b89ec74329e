import * as vitest from 'vitest';
import { coordinateByLogs } from '../../server/coordination/logs/index.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import { durableStreamsStore } from '../../server/store/durable-streams/index.ts';
import { describeCoordinator } from '../../server/testing/coordinator/index.ts';
import { startReferenceServer, type ReferenceServer } from '../store/durable-streams/reference-server.ts';
import { OpenStores } from '../support/open-stores.ts';

let server: ReferenceServer;
let count = 0;
vitest.beforeAll(async () => void (server = await startReferenceServer({ mode: 'memory' })));
vitest.afterAll(() => server.stop());

describeCoordinator(vitest, 'the coordinator on logs of a Durable Streams server', (ttlSeconds) => {
  const url = `${server.url}/base/${(count += 1)}`;
  const stores = new OpenStores();
  return Promise.resolve({
    async join() {
      const store = stores.add(durableStreamsStore({ url, silenceMs: 1_000 }));
      await store.open();
      const coordinator = coordinateByLogs(store, { logger: silentLogger, ttlSeconds });
      return { coordinator, kill: () => store.dispose() };
    },
    restart: stores.disposeAll,
    dispose: stores.disposeAll,
  });
});
