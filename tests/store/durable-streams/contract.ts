import { durableStreamsStore } from '../../../server/store/durable-streams/index.ts';
import type { StoreUnderTest } from '../contract/index.ts';
import { startReferenceServer, type ReferenceServerOptions } from './reference-server.ts';

/** A store over a reference server of its own, below a base path. */
export async function openOverReference(options: ReferenceServerOptions): Promise<StoreUnderTest> {
  const server = await startReferenceServer(options);
  const open = async () => {
    // Short, since the reference server leaves live reads of expired streams open and silent.
    const store = durableStreamsStore({ url: `${server.url}/base/path`, silenceMs: 1_000 });
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
      await server.stop();
    },
  };
}
