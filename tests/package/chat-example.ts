import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { launchBrowser } from '../browser/page.ts';
import { msUntilCanceled, seen } from '../browser/sample-page.ts';
import { needs } from '../requirements.ts';
import {
  ANSWER,
  FIRST_HALF,
  startModel,
  type Behavior,
  type StandInModel,
} from '../samples/support/model.ts';
import { runCommand, type Command } from './commands.ts';
import { installExample, type Example } from './example.ts';

export interface ChatExample {
  /** Chooses ports. Returns the environment for the README's second command, and the page's address. */
  readonly prepare: () => Promise<{ env: Record<string, string>; url: string; ports: number[] }>;
  /** The name of the button that asks the model again after an error. */
  readonly retryButton: string;
  /** Whether the example is written in TypeScript. */
  readonly isTyped: boolean;
}

/** The key in the READMEs' second commands. */
const KEY = 'sk-...';

/** Does with an example what its README says, in Chromium, with a stand-in model in place of the provider. */
export function describeChatExample(name: string, { prepare, retryButton, isTyped }: ChatExample): void {
  needs('browser')(`examples/${name}`, () => {
    let example: Example;
    let browser: Browser;
    let model: StandInModel;
    let command: Command;
    let url: string;
    let page: Page;
    const bodies: Promise<string>[] = [];

    const open = async (timeoutMs: number): Promise<Page> => {
      const opened = await (await browser.newContext()).newPage();
      opened.setDefaultTimeout(timeoutMs);
      opened.on('response', (response) => {
        if (response.ok()) bodies.push(response.text().catch(() => ''));
      });
      await opened.goto(url);
      await opened.getByRole('button', { name: 'Send' }).waitFor();
      return opened;
    };

    beforeAll(async () => {
      [example, browser, model] = await Promise.all([installExample(name), launchBrowser(), startModel()]);
      const prepared = await prepare();
      url = prepared.url;
      command = example.start({ ...prepared.env, OPENAI_BASE_URL: model.url });
      for (const port of prepared.ports) await command.listens(port);
      // Development servers compile at the first visit and at the first request of each route.
      const visitor = await open(180_000);
      await send(visitor, 'On drops');
      await seen(visitor, ANSWER);
      await visitor.context().close();
      model.reset();
    }, 400_000);
    afterAll(async () => {
      await Promise.all([browser?.close(), command?.stop(), model?.close()]);
      await example?.remove();
    });

    beforeEach(async () => {
      page = await open(30_000);
    });
    afterEach(async () => {
      await page.context().close();
      model.finish();
      model.reset();
    });

    it('shows the answer, and keeps the key and the secrets on the server', async () => {
      await send(page, 'On drops');
      await seen(page, ANSWER);
      expect(model.calls).toHaveLength(1);
      expect(model.calls[0]!.authorization).toBe(`Bearer ${KEY}`);
      const environment = await page.request.get(new URL('/.env', url).href);
      const texts = [...(await Promise.all(bodies)), await environment.text()];
      const secrets = await runCommand('cut -d= -f2- .env', { cwd: example.folder });
      for (const secret of [KEY, ...secrets.split('\n').filter(Boolean)])
        expect(texts.filter((text) => text.includes(secret))).toEqual([]);
    });

    it('never sends a blank message', async () => {
      for (const blank of ['', '   ']) {
        await send(page, blank);
        await page.getByLabel('Message').press('Enter');
      }
      await send(page, 'On drops');
      await seen(page, ANSWER);
      expect(model.calls).toHaveLength(1);
    });

    it('ends the model’s request on Stop, and can ask again', async () => {
      model.behavior = 'slow';
      await send(page, 'On drops');
      await seen(page, FIRST_HALF);
      await page.getByRole('button', { name: 'Stop' }).click();
      expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
      await seen(page, 'Stopped');
      expect(model.calls).toHaveLength(1);
      model.behavior = 'ok';
      await send(page, 'On drops again');
      await seen(page, ANSWER);
    });

    it('resumes the answer after a reload', async () => {
      model.behavior = 'slow';
      await send(page, 'On drops');
      await seen(page, FIRST_HALF);
      await page.reload();
      await seen(page, FIRST_HALF);
      model.finish();
      await seen(page, ANSWER);
      expect(model.calls).toHaveLength(1);
    });

    // Every fault is tested with the samples of the docs, which the examples begin from (`tests/browser`).
    it.each<Behavior>([429, 'breaks', 'short'])(
      'shows an error when the model answers %s, and the answer when asked again',
      async (behavior) => {
        model.behavior = behavior;
        await send(page, 'On drops');
        await page.waitForFunction(
          () => (document.querySelector<HTMLElement>('[role=alert]')?.innerText.trim() ?? '') !== '',
        );
        model.behavior = 'ok';
        if (retryButton === 'Send') await send(page, 'On drops');
        else await page.getByRole('button', { name: retryButton }).click();
        await seen(page, ANSWER);
      },
    );

    if (isTyped)
      it('has no type errors', async () => {
        await runCommand('npx --no-install tsc', { cwd: example.folder });
      });
  });
}

async function send(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}
