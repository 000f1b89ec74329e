import { expect, it } from 'vitest';
import { ANSWER, FIRST_HALF } from '../samples/support/model.ts';
import { clickAsk } from './page-contract.ts';
import { startApp } from './sample-app.ts';
import { describePages, msUntilCanceled, seen, type SampleParts } from './sample-page.ts';

const VUE = `import { createApp } from 'vue';
import Chat from './vue/Chat.vue';
createApp(Chat, { id: 'chat-1' }).mount('#root');`;

const SVELTE = `import { mount } from 'svelte';
import Chat from './svelte/Chat.svelte';
mount(Chat, { target: document.getElementById('root')!, props: { id: 'chat-1' } });`;

describePages('pages of other frameworks', startApp, (describePage) => {
  describePage('[vue/Chat.vue]', { entry: VUE }, testChat);
  describePage('[svelte/Chat.svelte]', { entry: SVELTE }, testChat);
});

function testChat(parts: () => SampleParts): void {
  /** Opens the page and asks. Resolves when the first half of the answer is visible. */
  const begin = async (): Promise<SampleParts> => {
    const { page, front, model } = parts();
    model.behavior = 'slow';
    await page.goto(front.origin);
    await clickAsk(page);
    await seen(page, FIRST_HALF);
    return parts();
  };

  it('shows the whole answer after the connection was cut', async () => {
    const { page, front, model } = await begin();
    front.cut();
    model.finish();
    await seen(page, ANSWER);
    expect(model.calls).toHaveLength(1);
  });

  it('continues the answer after a reload', async () => {
    const { page, model } = await begin();
    await page.reload();
    await seen(page, FIRST_HALF);
    model.finish();
    await seen(page, ANSWER);
    expect(model.calls).toHaveLength(1);
  });

  it('stops the model, also after a reload', async () => {
    const { page, model } = await begin();
    await page.reload();
    await seen(page, FIRST_HALF);
    await page.getByRole('button', { name: 'Stop' }).click();
    expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
  });
}
