import { randomUUID } from 'node:crypto';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { needs } from '../requirements.ts';
import { bundlePage, type BundleOptions } from '../samples/support/bundle.ts';
import { startFront, type Front } from '../samples/support/front.ts';
import { startModel, type StandInModel } from '../samples/support/model.ts';
import { launchBrowser } from './page.ts';

/** What the tests of one sample's page share. */
export interface SampleParts {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly front: Front;
  readonly model: StandInModel;
  /** Errors that the page has logged or thrown. */
  readonly errors: readonly string[];
}

/** What a page talks to. */
export interface Started {
  dispose(): Promise<void>;
}

export interface PageFiles<App extends Started = Started> {
  /** The script of the page, which imports samples such as `./react/chat.tsx`. Without it, `start` serves the page. */
  readonly entry?: string | ((front: Front, app: App) => string);
  readonly html?: string;
  /** Script of a service worker, served as `/worker.js`. */
  readonly worker?: string;
  readonly bundle?: (front: Front, app: App) => BundleOptions;
}

export interface SamplePage extends PageFiles {
  /** Starts what the page talks to, and routes the front to it. */
  readonly start: (front: Front, model: StandInModel) => Promise<Started>;
}

type Suite = (parts: () => SampleParts) => void;
type DescribePage<App extends Started> = (title: string, files: PageFiles<App>, suite: Suite) => void;

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

/**
 * A suite about pages of samples in Chromium. They share a browser, a stand-in model and what `start` starts; each
 * test gets a browser profile of its own.
 */
export function describePages<App extends Started>(
  title: string,
  start: (front: Front, model: StandInModel) => Promise<App>,
  suite: (describePage: DescribePage<App>) => void,
): void {
  needs('browser')(title, () => {
    let browser: Browser;
    let front: Front;
    let model: StandInModel;
    let app: App;

    beforeAll(async () => {
      [browser, front, model] = await Promise.all([launchBrowser(), startFront(), startModel()]);
      app = await start(front, model);
    });
    afterAll(async () => {
      await browser?.close();
      await app?.dispose();
      await Promise.all([front.close(), model.close()]);
    });

    suite((pageTitle, files, pageSuite) => {
      describe(pageTitle, () => {
        let parts: SampleParts;
        beforeAll(async () => {
          const entry = typeof files.entry === 'function' ? files.entry(front, app) : files.entry;
          if (entry === undefined) return;
          front.page(files.html ?? HTML, await bundlePage(entry, files.bundle?.(front, app)), files.worker);
        });
        beforeEach(async () => {
          const context = await browser.newContext();
          // Each profile is a visitor of its own, whose request ids are not those of an earlier test.
          await context.addCookies([{ name: 'visitor', value: randomUUID(), url: front.origin }]);
          const errors: string[] = [];
          context.on('weberror', (error) => errors.push(String(error.error())));
          context.on('console', (message) => {
            if (message.type() === 'error') errors.push(`${message.text()} ${message.location().url}`);
          });
          context.setDefaultTimeout(15_000);
          parts = { context, page: await context.newPage(), front, model, errors };
        });
        afterEach(async () => {
          await parts.context.close();
          model.finish();
          model.reset();
          front.reset();
        });
        pageSuite(() => parts);
      });
    });
  });
}

/** A suite about one sample's page. */
export function describeSample(title: string, { start, ...files }: SamplePage, suite: Suite): void {
  describePages(title, start, (describePage) => describePage('in Chromium', files, suite));
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
