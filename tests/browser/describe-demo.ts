import type { Browser, BrowserContext, LaunchOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { commandPath, needs, type Requirement } from '../requirements.ts';
import { ANSWER, MIDDLE, QUESTION } from './answer.ts';
import { startDemo, type DemoProcess } from './demo-process.ts';
import { startModel, type HeldModel } from './held-model.ts';
import { launchBrowser, openPage, seen, send } from './page.ts';

/** Separate for each test: a browser profile, a server process, and its model. */
export interface DemoParts {
  readonly context: BrowserContext;
  readonly demo: DemoProcess;
  readonly model: HeldModel;
}

interface DemoSuiteOptions {
  /** Environment of the server. */
  env?: Record<string, string>;
  launch?: LaunchOptions;
  script?: 'main.js' | 'start.js';
  /** Default: `'browser'`, any Chromium. */
  browser?: Extract<Requirement, 'browser' | 'chromium'>;
}

/** Defines a suite of the demo in Chromium. `parts` may be called within a test. */
export function describeDemo(
  title: string,
  suite: (parts: () => DemoParts) => void,
  { env = {}, launch, script, browser: program = 'browser' }: DemoSuiteOptions = {},
): void {
  needs(program)(title, () => {
    let browser: Browser;
    let parts: DemoParts;

    beforeAll(async () => {
      browser = await launchBrowser({ executablePath: commandPath(program), ...launch });
    });
    afterAll(() => browser.close());
    beforeEach(async () => {
      const model = await startModel({ text: ANSWER });
      const demo = await startDemo({ MODEL_URL: model.url, ...env }, script);
      parts = { context: await browser.newContext(), demo, model };
    });
    afterEach(async () => {
      await parts.context.close();
      await parts.demo.dispose();
      await parts.model.dispose();
    });
    suite(() => parts);
  });
}

/** A page that shows the first half of an answer, whose second half waits for `model.release()`. */
export async function inMidAnswer({ context, demo, model }: DemoParts): Promise<Page> {
  const page = await openPage(context, demo.url);
  model.holdAfter(MIDDLE);
  await send(page, QUESTION);
  await seen(page, MIDDLE);
  return page;
}
