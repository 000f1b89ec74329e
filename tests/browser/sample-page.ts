import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { needs } from '../requirements.ts';
import { bundlePage, type BundleOptions } from '../samples/support/bundle.ts';
import { startFront, type Front } from '../samples/support/front.ts';
import { startModel, type StandInModel } from '../samples/support/model.ts';
import { launchBrowser } from './page.ts';

/** What the tests of one sample's page share. */
export interface SampleParts {
  readonly page: Page;
  readonly front: Front;
  readonly model: StandInModel;
  /** Errors that the page has logged or thrown. */
  readonly errors: readonly string[];
}

export interface SamplePage {
  /** The script of the page, which imports samples such as `./react/chat.tsx`. */
  readonly entry: string | ((front: Front) => string);
  readonly html?: string;
  readonly bundle?: (front: Front) => BundleOptions;
  /** Starts what the page talks to, and routes the front to it. */
  readonly start: (front: Front, model: StandInModel) => Promise<{ dispose(): Promise<void> }>;
}

export const SECRET = 'a-secret-of-the-samples-that-is-long-enough';
const HTML =
  '<!doctype html><title>Sample</title><div id="root"></div><script type="module" src="/page.js"></script>';

/** Renders a component of a sample, as an app's `main.tsx` does. */
export function renderEntry(file: string, name: string, jsx: string): string {
  return `import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ${name} } from './${file}';
createRoot(document.getElementById('root')!).render(<StrictMode>${jsx}</StrictMode>);`;
}

/** A suite about a sample's page in Chromium, with a stand-in model behind it. Each test gets a new page. */
export function describeSample(
  title: string,
  sample: SamplePage,
  suite: (parts: () => SampleParts) => void,
): void {
  needs('chromium')(title, () => {
    let browser: Browser;
    let front: Front;
    let model: StandInModel;
    let started: { dispose(): Promise<void> };
    let parts: SampleParts;

    beforeAll(async () => {
      [browser, front, model] = await Promise.all([launchBrowser(), startFront(), startModel()]);
      started = await sample.start(front, model);
      const entry = typeof sample.entry === 'string' ? sample.entry : sample.entry(front);
      front.page(sample.html ?? HTML, await bundlePage(entry, sample.bundle?.(front)));
    });
    afterAll(async () => {
      await browser?.close();
      await started?.dispose();
      await Promise.all([front.close(), model.close()]);
    });

    beforeEach(async () => {
      const context = await browser.newContext();
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(`${message.text()} ${message.location().url}`);
      });
      parts = { page, front, model, errors };
    });
    afterEach(async () => {
      await parts.page.context().close();
      model.finish();
      model.reset();
      front.reset();
    });
    suite(() => parts);
  });
}

/** Resolves when the page shows the text. */
export async function seen(page: Page, text: string): Promise<void> {
  try {
    await page.waitForFunction((wanted) => document.body.innerText.includes(wanted), text);
  } catch (cause) {
    const shown = await page.locator('body').innerText();
    throw new Error(`The page does not show "${text}", but:\n${shown}`, { cause });
  }
}

/** Milliseconds until the model's request with this number is closed by its caller. */
export async function msUntilCanceled(model: StandInModel, index: number): Promise<number> {
  const start = performance.now();
  const call = await model.call(index);
  if (await call.closed) throw new Error('the model completed its answer; it was not canceled');
  return performance.now() - start;
}
