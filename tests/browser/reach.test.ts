import { expect, it } from 'vitest';
import { ANSWER, QUESTION } from './answer.ts';
import { describeDemo, inMidAnswer } from './describe-demo.ts';
import { expectConversation, openPage, seen, state } from './page.ts';

describeDemo('the demo for everybody', (parts) => {
  it('works by keyboard alone, and announces changes to screen readers', async () => {
    const { context, demo, model } = parts();
    const page = await openPage(context, demo.url);
    model.holdAfter('The first');
    const { keyboard } = page;
    await page.getByText('Skip to the message field').waitFor({ state: 'attached' });
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.id === 'composer');
    await keyboard.type(QUESTION);
    await keyboard.press('Enter');
    await seen(page, 'The first');
    await page.getByRole('status').getByText('Answering').waitFor();

    // Stop is the next control after the field, and returns the focus to the field.
    await keyboard.press('Tab');
    await keyboard.press('Enter');
    expect(await model.ended(0)).toMatchObject({ state: 'cut' });
    await page.getByRole('status').getByText('Stopped').waitFor();
    await page.waitForFunction(() => document.activeElement?.id === 'composer');
    expect(await page.getByRole('list', { name: 'Messages' }).getByRole('heading').allInnerTexts()).toEqual([
      'You',
      'Answer',
    ]);
  });

  it('fits a phone, where both side panels open as drawers', async () => {
    const { model } = parts();
    const page = await inMidAnswer(parts());
    await page.setViewportSize({ width: 360, height: 640 });
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(await overflow()).toBeLessThanOrEqual(0);
    const connection = page.getByRole('complementary', { name: 'Connection' });
    await connection.waitFor({ state: 'hidden' });

    await page.getByRole('button', { name: 'Connection', exact: true }).click();
    await connection.getByRole('button', { name: 'Cut the connection' }).click();
    await seen(page, 'Resumed at offset');
    await page.keyboard.press('Escape');
    await connection.waitFor({ state: 'hidden' });
    model.release();
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);

    const conversations = page.getByRole('navigation', { name: 'Conversations' });
    await page.getByRole('button', { name: 'Conversations' }).click();
    await conversations.getByRole('button', { name: 'New conversation' }).click();
    await seen(page, 'An answer that survives its connection');
    await conversations.waitFor({ state: 'hidden' });
    expect(await overflow()).toBeLessThanOrEqual(0);
  });

  it('follows the theme of the system until the user chooses one, and keeps the choice', async () => {
    const { context, demo } = parts();
    const page = await openPage(context, demo.url);
    const scheme = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: 'light' });
    const light = await scheme();
    await page.emulateMedia({ colorScheme: 'dark' });
    const dark = await scheme();
    expect(dark).not.toBe(light);
    await page.getByRole('button', { name: /^Theme: auto/ }).click();
    expect(await scheme()).toBe(light);
    await page.reload();
    await page.getByRole('button', { name: /^Theme: light/ }).waitFor();
    expect(await scheme()).toBe(light);
  });
});
