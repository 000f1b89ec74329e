import { chromium, type Browser, type BrowserContext, type LaunchOptions, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { commandPath } from '../requirements.ts';

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchBrowser(options: LaunchOptions = {}): Promise<Browser> {
  return chromium.launch({ executablePath: commandPath('browser'), args: ARGS, ...options });
}

/**
 * Measures the CPU time of a page's main thread, in milliseconds. Unlike elapsed time, it does not depend on the
 * load of the machine.
 * @returns a function that resolves to the CPU time so far.
 */
export async function mainThreadCpu(page: Page): Promise<() => Promise<number>> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'ThreadTime')!.value * 1_000;
  };
}

declare global {
  interface Window {
    /** The states of the connection that the page showed, in order, without repetitions. */
    said?: string[];
  }
}

/** Opens a page of the demo that records the states it shows. An error in its script fails the test. */
export async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => {
    throw error;
  });
  await page.addInitScript(() => {
    const said: string[] = (window.said = []);
    new MutationObserver(() => {
      const state = document.querySelector<HTMLElement>('.state')?.firstChild?.textContent ?? '';
      if (state !== '' && said.at(-1) !== state) said.push(state);
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  await page.goto(url);
  return page;
}

export async function send(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

export async function stop(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Stop' }).click();
}

/** Resolves when the text can be seen. */
export async function seen(page: Page, text: string): Promise<void> {
  await explained(page, `“${text}”`, () =>
    page.waitForFunction((wanted) => document.body.innerText.includes(wanted), text),
  );
}

/** Resolves when the panel shows the state: "Connected", "Reconnecting", "Complete", "Stopped", "Interrupted". */
export async function state(page: Page, word: string): Promise<void> {
  await explained(page, `the state “${word}”`, () =>
    page.waitForFunction(
      (wanted) => document.querySelector('.state')?.firstChild?.textContent === wanted,
      word,
    ),
  );
}

/** A timeout reports the missing text together with the received text. */
async function explained(page: Page, what: string, wait: () => Promise<unknown>): Promise<void> {
  try {
    await wait();
  } catch (cause) {
    const text = await page.locator('body').innerText();
    throw new Error(`no ${what}; the page said ${(await said(page)).join(', ')}, and shows:\n${text}`, {
      cause,
    });
  }
}

export async function said(page: Page): Promise<string[]> {
  return page.evaluate(() => window.said ?? []);
}

/** Returns the whole conversation: questions and answers exactly as the page shows them. */
export async function conversation(page: Page): Promise<string[]> {
  const paragraphs = page.locator('.messages > .user, .messages > .assistant');
  return paragraphs.evaluateAll((items) =>
    items.map((item) => Array.from(item.querySelectorAll('p'), (p) => p.innerText).join('\n\n')),
  );
}

/** Expects that the page never showed the answer as lost, and that it reconnected at least this often. */
export async function expectSurvived(page: Page, { reconnections = 0 } = {}): Promise<void> {
  const words = await said(page);
  expect(words).not.toEqual(expect.arrayContaining([expect.stringMatching(/Interrupted|Expired|Stopped/)]));
  expect(words.filter((word) => word === 'Reconnecting').length).toBeGreaterThanOrEqual(reconnections);
  expect(words.at(-1)).toBe('Complete');
}

/** Resolves when the page shows exactly this conversation and no answer is running. */
export async function expectConversation(page: Page, texts: string[]): Promise<void> {
  await page.getByRole('button', { name: 'Send' }).waitFor();
  await expect.poll(() => conversation(page), { timeout: 20_000 }).toEqual(texts);
  await page.getByRole('button', { name: 'Send' }).waitFor();
}
