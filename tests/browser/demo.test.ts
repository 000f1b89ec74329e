import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { ANSWER, MIDDLE, QUESTION } from './answer.ts';
import { describeDemo, inMidAnswer } from './describe-demo.ts';
import { expectConversation, expectSurvived, openPage, said, seen, send, state, stop } from './page.ts';

describeDemo('the demo in a browser', (parts) => {
  it('continues after a reload within an answer, with one call of the model', async () => {
    const { model } = parts();
    const page = await inMidAnswer(parts());
    await page.reload();
    await seen(page, MIDDLE);
    await seen(page, 'Resumed at the beginning');
    model.release();
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    expect(await said(page)).toEqual(['No answer under way', 'Reconnecting', 'Connected', 'Complete']);
    expect(model.calls).toMatchObject([{ state: 'done' }]);

    await page.reload();
    await seen(page, 'nothing came twice');
    await expectConversation(page, [QUESTION, ANSWER]);
    expect(model.calls).toHaveLength(1);
  });

  it('continues each time the button cuts the connection', async () => {
    const { context, demo, model } = parts();
    const page = await openPage(context, demo.url);
    model.holdAfter('The first');
    await send(page, QUESTION);
    let losses = 0;
    for (const text of ['arrives before', 'one is where', MIDDLE, 'what would be missing']) {
      model.holdAfter(text);
      await seen(page, text);
      await state(page, 'Connected');
      await page.getByRole('button', { name: 'Cut the connection' }).click();
      // The mark stays; the state itself may be too short to be seen.
      await marks(page, 'Connection lost', (losses += 1));
    }
    model.release();
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    expect(await page.getByText(/Resumed at offset \d/).count()).toBe(4);
    await expectSurvived(page, { reconnections: 4 });
    expect(model.calls).toMatchObject([{ state: 'done' }]);
  });

  it('stops the model with Stop, and stays stopped after a reload', async () => {
    const { model } = parts();
    const page = await inMidAnswer(parts());
    await stop(page);
    expect(await model.ended(0)).toMatchObject({ state: 'cut' });
    await state(page, 'Stopped');
    await page.getByRole('button', { name: 'Send' }).waitFor();
    await page.waitForLoadState('networkidle');
    expect(await page.getByRole('list', { name: 'Events' }).innerText()).toMatch(/Connected\s.*Stopped at/s);

    await page.reload();
    await seen(page, MIDDLE);
    await page.getByRole('button', { name: 'Send' }).waitFor();
    expect(await page.locator('.messages > .assistant').count()).toBe(1);
    expect(await said(page)).toEqual(['No answer under way']);
    expect(model.calls).toHaveLength(1);
  });

  it('scrolls to the answer after a reload', async () => {
    const { context, demo, model } = parts();
    const page = await openPage(context, demo.url);
    await page.setViewportSize({ width: 1000, height: 420 });
    model.release();
    for (const [index, question] of [QUESTION, 'And again?'].entries()) {
      await send(page, question);
      await page.locator('.messages > .assistant').nth(index).getByText('nothing came twice').waitFor();
      await page.getByRole('button', { name: 'Send' }).waitFor();
    }
    await page.reload();
    await seen(page, 'And again?');
    // The reader looks at the beginning before asking on.
    await page.getByRole('list', { name: 'Messages' }).evaluate((list) => list.scrollTo(0, 0));
    model.holdAfter(MIDDLE);
    await send(page, 'The third?');
    const last = page.locator('.messages > .assistant').nth(2);
    await last.getByText(MIDDLE).waitFor();
    await inView(page, last);
    model.release();
    await last.getByText('nothing came twice').waitFor();
    await inView(page, last);
  });

  it('continues an answer whose server was killed, and calls the model once', async () => {
    const { demo, model } = parts();
    const page = await inMidAnswer(parts());
    await demo.kill();
    await state(page, 'Reconnecting');
    await demo.restart();
    await seen(page, 'Resumed at offset');
    model.release();
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    expect(model.calls).toMatchObject([{ state: 'done' }]);
  });

  it('continues an answer whose server was killed while no page was open', async () => {
    const { context, demo, model } = parts();
    const page = await inMidAnswer(parts());
    await page.close();
    await demo.kill();
    await demo.restart();
    model.release();
    const other = await openPage(context, demo.url);
    await state(other, 'Complete');
    await expectConversation(other, [QUESTION, ANSWER]);
    expect(model.calls).toMatchObject([{ state: 'done' }]);
  });

  it('stops an answer that continued after the server was killed', async () => {
    const { demo, model } = parts();
    const page = await inMidAnswer(parts());
    await demo.kill();
    await demo.restart();
    await seen(page, 'Resumed at offset');
    await stop(page);
    expect(await model.ended(0)).toMatchObject({ state: 'cut' });
    await state(page, 'Stopped');
  });

  it('reports an answer whose agent was killed as cut off, and tries again', async () => {
    const { demo, model } = parts();
    const page = await inMidAnswer(parts());
    await demo.killAgent();
    expect(await model.ended(0)).toMatchObject({ state: 'cut' });
    await demo.restartAgent();
    await state(page, 'Interrupted');
    await seen(page, MIDDLE);
    model.release();
    await page.getByRole('button', { name: 'Try again' }).click();
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    expect(model.calls).toHaveLength(2);
  });

  it('answers a question that is sent while the server starts', async () => {
    const { demo } = parts();
    await demo.kill();
    const answer = asSoonAsItListens(demo.url);
    await demo.restart();
    expect((await answer).statusCode).toBe(200);
  });
});

/** Resolves when the timeline has this many marks that begin with the text. */
async function marks(page: Page, text: string, count: number): Promise<void> {
  await page
    .getByRole('list', { name: 'Events' })
    .getByText(text)
    .nth(count - 1)
    .waitFor();
}

/** Resolves when the end of an element is within what the window shows. */
async function inView(page: Page, target: Locator): Promise<void> {
  const element = await target.elementHandle();
  await page.waitForFunction((each) => {
    const { bottom } = each!.getBoundingClientRect();
    const list = document.querySelector('.messages')!.getBoundingClientRect();
    return bottom > list.top && bottom <= list.bottom;
  }, element);
}

/** The answer to the first request that is not refused. */
async function asSoonAsItListens(url: string): Promise<IncomingMessage> {
  for (;;) {
    try {
      const [response] = await once(get(url), 'response');
      return (response as IncomingMessage).resume();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
    }
  }
}

describeDemo(
  'npm start',
  (parts) => {
    it('continues the answer when the button kills the server', async () => {
      const { model } = parts();
      const page = await inMidAnswer(parts());
      await page.getByRole('button', { name: 'Kill the server' }).click();
      await seen(page, 'Resumed at offset');
      model.release();
      await state(page, 'Complete');
      await expectConversation(page, [QUESTION, ANSWER]);
      expect(model.calls).toMatchObject([{ state: 'done' }]);
    });

    it('reports the answer as cut off when the button kills the agent', async () => {
      const { model } = parts();
      const page = await inMidAnswer(parts());
      await page.getByRole('button', { name: 'Kill the agent' }).click();
      await state(page, 'Interrupted');
      model.release();
      await page.getByRole('button', { name: 'Try again' }).click();
      await state(page, 'Complete');
      await expectConversation(page, [QUESTION, ANSWER]);
      expect(model.calls).toHaveLength(2);
    });
  },
  { script: 'start.js' },
);
