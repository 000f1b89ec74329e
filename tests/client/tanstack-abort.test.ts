import { expect, it } from 'vitest';
import { MemoryStorage } from '../../core-client/index.ts';
import { createDurableAdapter } from '../../core-client/transports/index.ts';
import { useWorld } from '../react/support/world.ts';

const world = useWorld();
type Adapter = ReturnType<typeof createDurableAdapter>;
const MESSAGES = [
  { id: 'question', role: 'user', parts: [{ type: 'text', content: 'Hi' }] },
] as unknown as Parameters<Adapter['connect']>[0];

/** Reads a run to its end, or to the error that ends it. */
async function read(events: AsyncIterable<unknown>): Promise<unknown> {
  try {
    for await (const event of events) void event;
    return undefined;
  } catch (error) {
    return error;
  }
}

const connect = (adapter: Adapter, runId: string, signal: AbortSignal) =>
  read(adapter.connect(MESSAGES, undefined, signal, { threadId: 'thread', runId }));

it('stops the model before its first byte, with `abortUpstream`', async () => {
  const adapter = createDurableAdapter(world.upstream.url, {
    ...world.client,
    storage: new MemoryStorage(),
    abortUpstream: true,
  });
  const run = connect(adapter, crypto.randomUUID(), new AbortController().signal);
  const exchange = await world.upstream.next();
  await adapter.abort();
  await exchange.closed;
  await run;
});

it('stops the model before its first byte, in a run that another page began', async () => {
  const storage = new MemoryStorage();
  const runId = crypto.randomUUID();
  const open = () => createDurableAdapter(world.upstream.url, { ...world.client, storage });
  const leaving = new AbortController();
  const first = connect(open(), runId, leaving.signal);
  const exchange = await world.upstream.next();
  leaving.abort();
  await first;
  const second = open();
  const joined = read(second.joinRun(runId));
  await expect.poll(() => second.resumption.getSnapshot().status).toBe('creating');
  await second.abort();
  await exchange.closed;
  await joined;
  expect(world.upstream.exchanges).toHaveLength(1);
});
