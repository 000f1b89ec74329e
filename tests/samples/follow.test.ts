import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDurableFetch, MemoryStorage } from 'durable-proxy/client';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import type * as FollowSample from './client/follow.ts';
import { loadSample } from './support/load.ts';
import { ANSWER, startModel, type StandInModel } from './support/model.ts';

let model: StandInModel;
let proxy: TestProxy;
beforeAll(async () => {
  model = await startModel();
  proxy = await startProxy({ authenticate: () => ({ subject: 'ada' }) });
});
afterAll(async () => {
  await proxy.stop({ drainMs: 0 });
  await model.close();
});

it('[client/follow.ts] shows the answers that another device begins, also after one that breaks', async () => {
  const { follow } = await loadSample<typeof FollowSample>('client/follow.ts', {
    replace: { "'/v1/proxy'": `'${proxy.base}'` },
  });
  const controller = new AbortController();
  const texts: string[] = [];
  let onText: () => void = () => undefined;
  const show = async (body: ReadableStream<Uint8Array>) => {
    texts.push(await new Response(body).text().catch(() => 'broken'));
    onText();
  };
  const following = follow('1', show, controller.signal);
  const other = createDurableFetch({ proxyUrl: proxy.base, storage: new MemoryStorage() });
  for (const behavior of ['slow', 'breaks', 'slow'] as const) {
    model.behavior = behavior;
    const shown = new Promise<void>((resolve) => (onText = resolve));
    const response = await other(`${new URL(model.url).origin}/essay`, {
      body: 'drops',
      streamKey: 'chat-1',
    });
    void response.text().catch(() => undefined);
    // The answer waits until the sample has attached to it.
    if (behavior === 'slow') setTimeout(() => model.finish(), 300);
    await shown;
  }
  controller.abort();
  await following;
  expect(texts).toEqual([ANSWER, 'broken', ANSWER]);
});
