import { expect, it } from 'vitest';
import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';
import { heldStorage } from '../react/support/delayed-storage.ts';
import { useWorld } from '../react/support/world.ts';
import { withResolvers } from '../support/with-resolvers.ts';

const world = useWorld();

it('does not send a request whose body is read while the user leaves', async () => {
  const storage = new MemoryStorage();
  const client = createDurableFetch({ ...world.client, storage });
  const isRead = withResolvers();
  const left = withResolvers();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      isRead.resolve();
      await left.promise;
      controller.enqueue(new TextEncoder().encode('{}'));
      controller.close();
    },
  });
  const call = client(world.upstream.url, { method: 'POST', body, requestId: 'chat' });
  await isRead.promise;
  await client.forget();
  left.resolve();
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  expect([...storage.keys()]).toEqual([]);
  expect(world.upstream.exchanges).toEqual([]);
});

it('removes a record that is being written while the user leaves', async () => {
  const held = heldStorage('setItem');
  const client = createDurableFetch({ ...world.client, storage: held.storage });
  const call = client(world.upstream.url, { method: 'POST', body: '{}', requestId: 'chat' });
  await held.waiting;
  const forgotten = client.forget();
  // Enough for a removal that does not wait for the write.
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  held.release();
  await forgotten;
  await expect(call).rejects.toMatchObject({ name: 'AbortError' });
  expect([...held.storage.keys()]).toEqual([]);
});
