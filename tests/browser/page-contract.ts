import { randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { FAULTS, type Fault } from '../samples/support/faults.ts';
import { ANSWER, FIRST_HALF } from '../samples/support/model.ts';
import { msUntilCanceled, seen, type SampleParts } from './sample-page.ts';

/** How a page is used. Without a field, the page cannot do this. */
export interface PageUse {
  readonly ask: (page: Page) => Promise<void>;
  /** Name of the button that stops the answer. */
  readonly stop?: string;
  /** Name of the button that asks again after an error. @default the page is asked once more */
  readonly retry?: string;
  /** True if the page has a text field, which may be blank. */
  readonly hasField?: boolean;
  /** @default all */
  readonly faults?: readonly Fault[];
}

export const clickAsk = (page: Page): Promise<void> => page.getByRole('button', { name: 'Ask' }).click();

/** What a page says about a fault: the text of its alerts and statuses. */
async function words(page: Page): Promise<string> {
  await page.waitForFunction(() =>
    Array.from(document.querySelectorAll<HTMLElement>('[role=alert]')).some((alert) =>
      alert.innerText.trim(),
    ),
  );
  return (await page.getByRole('alert').allInnerTexts()).join(' ').trim();
}

/** Terms that only developers understand. An error code may follow in parentheses. */
const JARGON = /[{}<>]|undefined|null|NaN|\bfetch\b|JSON|HTTP|Error\b|ECONN|status \d|(?<!\()\b[A-Z]+_[A-Z]+/;

/** Tests what the page of every sample does: send, stop, reload, and report each fault of a model. */
export function testPage(parts: () => SampleParts, use: PageUse): void {
  const open = async () => {
    const { page, front } = parts();
    // Each test is a chat of its own.
    await page.goto(`${front.origin}/?${randomUUID()}`);
    await page.getByRole('button').first().waitFor();
    return parts();
  };

  it('sends once, also on a double click, and shows the answer while it arrives', async () => {
    const { page, model, front, errors } = await open();
    model.behavior = 'slow';
    await use.ask(page);
    await seen(page, FIRST_HALF);
    const button = page.getByRole('button', { name: /^(Ask|Send)$/ });
    if ((await button.count()) > 0 && (await button.isEnabled())) await button.click();
    model.finish();
    await seen(page, ANSWER);
    await page.waitForLoadState('networkidle');
    expect(front.methods.filter((method) => method === 'POST').length).toBeLessThanOrEqual(1);
    expect(model.calls).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  if (use.stop !== undefined) {
    it('sends one PATCH and no POST on Stop, and ends the model’s request within a second', async () => {
      const { page, front, model } = await open();
      model.behavior = 'slow';
      await use.ask(page);
      await seen(page, FIRST_HALF);
      front.reset();
      await page.getByRole('button', { name: use.stop! }).click();
      expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
      await page.waitForLoadState('networkidle');
      expect(front.methods.filter((method) => method !== 'GET')).toEqual(['PATCH']);
      expect(model.calls).toHaveLength(1);
    });
  }

  it('continues the answer after a reload in the middle of it', async () => {
    const { page, model } = await open();
    model.behavior = 'slow';
    await use.ask(page);
    await seen(page, FIRST_HALF);
    await page.reload();
    await seen(page, FIRST_HALF);
    model.finish();
    await seen(page, ANSWER);
    expect(model.calls).toHaveLength(1);
  });

  it.each(use.faults ?? FAULTS)(
    'shows a readable error when the model $title, and the answer when asked again',
    async ({ behavior }) => {
      const { page, model } = await open();
      model.behavior = behavior;
      await use.ask(page);
      expect(await words(page)).not.toMatch(JARGON);
      model.behavior = 'ok';
      if (use.retry === undefined) await use.ask(page);
      else await page.getByRole('button', { name: use.retry }).click();
      await seen(page, ANSWER);
      await page.waitForFunction(() =>
        Array.from(document.querySelectorAll<HTMLElement>('[role=alert]')).every(
          (alert) => alert.innerText.trim() === '',
        ),
      );
    },
  );

  if (use.hasField) {
    it('never sends blank input, by button or by Enter', async () => {
      const { page, front, model } = await open();
      const field = page.getByRole('textbox');
      for (const blank of ['', '   ']) {
        await field.fill(blank);
        await page.getByRole('button', { name: /^(Ask|Send)$/ }).click();
        await field.press('Enter');
      }
      // A message that is sent afterwards shows that none was sent before it.
      await use.ask(page);
      await seen(page, ANSWER);
      expect(front.methods.filter((method) => method === 'POST')).toHaveLength(1);
      expect(model.calls).toHaveLength(1);
    });
  }

  it('logs no error while nothing happens', async () => {
    const { page, errors } = await open();
    await page.waitForLoadState('networkidle');
    expect(errors).toEqual([]);
  });
}
