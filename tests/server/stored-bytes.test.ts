import { afterEach, expect, it } from 'vitest';
import { StoreError, type ProxyEvent } from '../../server/index.ts';
import { ManualStore, type HeldOperation } from '../support/manual-store.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { post } from '../support/wire.ts';

let proxy: TestProxy | undefined;
let upstream: Upstream | undefined;
afterEach(async () => {
  await proxy?.stop({ drainMs: 0 });
  await upstream?.close();
  proxy = upstream = undefined;
});

const failed = new StoreError('UNAVAILABLE', 'the store did not respond');

it.each([
  ['failed', 'safe', (append: HeldOperation) => append.fail(failed)],
  ['was carried out, but got no reply', 'safe, stored', (append) => (append.run(), append.fail(failed))],
] as [string, string, (append: HeldOperation) => void][])(
  'reports the bytes that are stored if an append %s',
  async (_, stored, end) => {
    const store = new ManualStore();
    upstream = await startUpstream(({ res }) => void write(res, 'safe'));
    const events: ProxyEvent[] = [];
    proxy = await startProxy({ store, onEvent: (event) => events.push(event) });
    await post(proxy, `${upstream.url}/x`);
    const log = () => [...store.logs.values()].find(({ bytes }) => bytes.includes('safe'));
    await expect.poll(log).toBeDefined();
    store.holds = (name) => name === 'append';
    await write(upstream.calls[0]!.res, ', stored');
    const append = await store.nextHeld();
    store.holds = () => false;
    end(append);
    await expect.poll(() => events).toContainEqual(expect.objectContaining({ type: 'closed' }));
    expect(events.find(({ type }) => type === 'closed')).toMatchObject({
      outcome: 'interrupted',
      bytes: stored.length,
    });
    expect(log()?.bytes.toString()).toBe(stored);
  },
);
