import { durableStreamsStore } from '../../../server/store/durable-streams/index.ts';
import { describeStore } from '../contract/index.ts';
import { startReferenceServer } from './reference-server.ts';

describeStore('durable-streams (memory)', async () => {
  const server = await startReferenceServer('memory');
  const open = async () => {
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
});
