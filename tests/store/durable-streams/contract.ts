import { afterAll, beforeAll } from 'vitest';
import { durableStreamsStore } from '../../../server/store/durable-streams/index.ts';
import type { StoreFactory } from '../../../server/testing/byte-store/support.ts';
import {
  startReferenceServer,
  type ReferenceServer,
  type ReferenceServerOptions,
} from './reference-server.ts';

/** Stores on one reference server for a whole test file, each with a base path of its own. */
export function overReference(options: ReferenceServerOptions): StoreFactory {
  let server: ReferenceServer;
  let count = 0;
  beforeAll(async () => {
    server = await startReferenceServer(options);
  });
  afterAll(async () => {
    await server.stop();
  });
  return async () => {
    const url = `${server.url}/base/${(count += 1)}`;
    const open = async () => {
      // Short, since the reference server leaves live reads of expired streams open without sending anything.
      const store = durableStreamsStore({ url, silenceMs: 1_000 });
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
      },
    };
  };
}
