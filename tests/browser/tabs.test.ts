import { expect, it } from 'vitest';
import { ANSWER, MIDDLE, QUESTION } from './answer.ts';
import { describeDemo, inMidAnswer } from './describe-demo.ts';
import { expectConversation, expectSurvived, openPage, seen, send, state, stop } from './page.ts';

describeDemo('several tabs of the demo', (parts) => {
  it('shows one answer in two tabs, and stops it from the second', async () => {
    const { context, model } = parts();
    const first = await inMidAnswer(parts());

    const second = await openPage(context, first.url());
    await seen(second, MIDDLE);
    await state(second, 'Connected');
    await stop(second);
    expect(await model.ended(0)).toMatchObject({ state: 'cut' });
    await state(first, 'Stopped');
    await state(second, 'Stopped');
    for (const page of [first, second]) {
      await page.getByRole('button', { name: 'Send' }).waitFor();
      expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
      expect(await page.locator('.messages > .assistant').count()).toBe(1);
    }
    expect(model.calls).toHaveLength(1);
  });

  it('shows in one tab what the other one begins', async () => {
    const { context, demo, model } = parts();
    const first = await openPage(context, demo.url);
    model.release();
    await send(first, QUESTION);
    await state(first, 'Complete');
    const second = await openPage(context, first.url());
    await expectConversation(second, [QUESTION, ANSWER]);

    model.holdAfter(MIDDLE);
    await send(first, 'And again?');
    await second.waitForFunction((text) => document.body.innerText.split(text).length === 3, MIDDLE);
    model.release();
    for (const page of [first, second]) {
      await state(page, 'Complete');
      await expectConversation(page, [QUESTION, ANSWER, 'And again?', ANSWER]);
    }
    await expectSurvived(second);
    expect(model.calls).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  });

  it('keeps several conversations apart, also while one of them is being answered', async () => {
    const { model } = parts();
    const page = await inMidAnswer(parts());
    await page.getByRole('button', { name: 'New conversation' }).click();
    await seen(page, 'An answer that survives its connection');
    model.release();
    await send(page, 'Something else');
    await state(page, 'Complete');
    await expectConversation(page, ['Something else', ANSWER]);

    await page.getByRole('link', { name: QUESTION }).click();
    await seen(page, 'nothing came twice');
    await expectConversation(page, [QUESTION, ANSWER]);
    await page.reload();
    await expectConversation(page, [QUESTION, ANSWER]);
    expect(model.calls).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  });
});
