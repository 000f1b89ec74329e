import { afterEach, expect, it } from 'vitest';
import type { ProxyEvent } from '../../server/index.ts';
import { RECOVERY } from '../../server/store/metadata.ts';
import { ManualStore } from '../support/manual-store.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startResumableProvider, type ResumableProvider } from '../support/resumable-provider.ts';
import { post } from '../support/wire.ts';

const BODY = JSON.stringify({ background: true, stream: true });
let proxy: TestProxy | undefined;
let provider: ResumableProvider | undefined;
afterEach(async () => {
  await proxy?.stop({ drainMs: 0 });
  await provider?.close();
  proxy = provider = undefined;
});

/** Begins an answer that another process can continue, and holds its next append. */
async function begin(store: ManualStore) {
  const events: ProxyEvent[] = [];
  provider = await startResumableProvider({ kind: 'openai', events: 500, gapMs: 20 });
  proxy = await startProxy({ store, metrics: true, onEvent: (event) => events.push(event) });
  const isRecoverable = (id: string) => store.logs.get(id)?.init.metadata[RECOVERY] !== undefined;
  const isBegun = (id: string) => isRecoverable(id) && store.logs.get(id)!.bytes.length > 0;
  store.holds = (name, id) => name === 'append' && isBegun(id);
  await post(proxy, provider.urlOf(1), { body: BODY });
  const append = await store.nextHeld();
  return { append, streamId: append.id, events };
}

async function metric(name: string): Promise<string | undefined> {
  const headers = { authorization: `Bearer ${SECRET}` };
  const text = await (await fetch(`${proxy!.url}/metrics`, { headers })).text();
  return new RegExp(`^${name}(?:{.*})? (.*)$`, 'm').exec(text)?.[1];
}

it.each(['continues', 'has finished'])(
  'does not count a stream that another process %s after this one was suspended',
  async (state) => {
    const store = new ManualStore();
    const { append, streamId, events } = await begin(store);
    expect(await metric('durable_proxy_streams_active')).toBe('1');
    const other = new ManualStore(store.logs);
    const fence = await other.adopt(streamId, 0, { owner: 'other' });
    if (state === 'has finished') await other.close(streamId, { outcome: 'complete' }, undefined, fence);
    store.holds = () => false;
    append.run();
    await (
      await provider!.call(0)
    ).closed;
    await expect.poll(() => metric('durable_proxy_streams_active')).toBe('0');
    expect(await metric('durable_proxy_streams_closed_total')).toBeUndefined();
    const ends = events.filter(({ type }) => type === 'released' || type === 'closed');
    expect(ends).toEqual([{ type: 'released', streamId, subject: undefined }]);
  },
);

it('reports a stream that it releases at a shutdown', async () => {
  const store = new ManualStore();
  const { append, streamId, events } = await begin(store);
  store.holds = () => false;
  append.run();
  await proxy!.stop({ drainMs: 0 });
  const ends = events.filter(({ type }) => type === 'released' || type === 'closed');
  expect(ends).toEqual([{ type: 'released', streamId, subject: undefined }]);
});
