import { afterEach, expect, it } from 'vitest';
import { RECOVERY } from '../../server/store/metadata.ts';
import { ManualStore } from '../support/manual-store.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import {
  startResumableProvider,
  textsIn,
  textsOf,
  type ProviderOptions,
  type ResumableProvider,
} from '../support/resumable-provider.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const BODY = JSON.stringify({ background: true, stream: true });
let provider: ResumableProvider | undefined;
const proxies: { readonly store: ManualStore; readonly proxy: TestProxy }[] = [];

afterEach(async () => {
  for (const { store, proxy } of proxies.splice(0)) {
    store.letGo();
    await proxy.stop({ drainMs: 0 });
  }
  await provider?.close();
  provider = undefined;
});

/** Starts a proxy on a store whose operations are controlled by the test. */
async function start(store: ManualStore): Promise<TestProxy> {
  const proxy = await startProxy({ store });
  proxies.push({ store, proxy });
  return proxy;
}

/** Begins an answer. From its first operation with this name on, the store holds all operations of its process. */
async function suspendAt(name: 'annotate' | 'close', options: Partial<ProviderOptions> = {}) {
  provider = await startResumableProvider({ kind: 'openai', ...options });
  const store = new ManualStore();
  const proxy = await start(store);
  let isSuspended = false;
  const isRecoverable = (id: string) => store.logs.get(id)?.init.metadata[RECOVERY] !== undefined;
  store.holds = (each, id) => (isSuspended ||= each === name && isRecoverable(id));
  const url = locationOf(proxy, await post(proxy, provider.urlOf(1), { body: BODY }));
  const operation = await store.nextHeld();
  store.held.unshift(operation);
  const { id } = operation;
  return { store, url, id };
}

/** Runs the held operations of a stream one by one until its process is done with it. */
async function resume(store: ManualStore, id: string, count: number): Promise<string[]> {
  const ran: string[] = [];
  while (ran.length < count) {
    const operation = await store.nextHeld();
    operation.run();
    if (operation.id === id) ran.push(operation.name);
  }
  return ran;
}

it('[RECOVER-9] a process that was suspended while closing a stream cannot change it after another one has adopted it', async () => {
  // The provider breaks, and refuses to continue: the process is about to close the stream as broken.
  const { store, id } = await suspendAt('annotate', {
    cut: () => ({ after: 600, how: 'reset' }),
    intercept: ({ res }, _, n) => n > 0 && (res.writeHead(404).end(), true),
  });
  const sealed = store.logs.get(id)!.init.metadata[RECOVERY];
  expect(sealed).not.toBe('');
  await new ManualStore(store.logs).adopt(id, 0, { owner: 'adopter' });
  expect(await resume(store, id, 1)).toEqual(['annotate']);
  store.letGo();
  for (const { proxy } of proxies.splice(0)) await proxy.stop({ drainMs: 0 });
  const { init, end, fence } = store.logs.get(id)!;
  expect(end).toBeUndefined();
  expect({ fence, ...init.metadata }).toMatchObject({ fence: 1, owner: 'adopter', [RECOVERY]: sealed });
});

it('[RECOVER-9] a stream gets the outcome that its process had decided when it died while closing it', async () => {
  const { store, url, id } = await suspendAt('close');
  // The lease of the process expires.
  store.logs.delete(`proxy-${store.logs.get(id)!.init.metadata['owner']}`);
  const other = await start(new ManualStore(store.logs));
  const elsewhere = url.replace(/^http:\/\/[^/]+/, other.url);
  const { bytes, controls } = await readSse(await fetch(withQuery(elsewhere, { live: 'sse' })));
  expect(textsIn(bytes)).toEqual(textsOf(1));
  expect(controls.at(-1)).toMatchObject({ streamClosed: true, upstreamOutcome: 'complete' });
  expect(provider!.calls).toHaveLength(1);
}, 30_000);
