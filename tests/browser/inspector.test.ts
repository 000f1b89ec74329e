import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest';
import { IDEMPOTENCY_KEY, STREAM_KEY } from '../../protocol/headers.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import { buildInspectorPage } from '../inspector/build-page.ts';
import { startReplay } from '../inspector/replay.ts';
import { startInspectedApp, type InspectedApp } from '../inspector/support.ts';
import { needs } from '../requirements.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';
import { launchBrowser } from './page.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const EVENT = (content: string) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
/** Frames per second, and answers in progress meanwhile. */
const MIN_FPS = 30;
const RUNNING = 1_000;

needs('browser')("the operator's page", () => {
  let browser: Browser;
  let app: InspectedApp;
  let upstream: Upstream;
  let page: Page;

  beforeAll(async () => {
    await buildInspectorPage();
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    upstream = await startUpstream(({ res }) => {
      res.writeHead(200, {
        'content-type': 'text/event-stream',
        'x-request-id': 'r-1',
        'x-api-key': 'planted',
      });
      void write(res, EVENT('Hello <b>reader</b>'));
    });
    app = await startInspectedApp({
      logger: silentLogger,
      durability: 'process',
      authenticate: (req) => ({ subject: String(req.headers['x-subject']) }),
    });
  });
  afterEach(async () => {
    await page.context().close();
    await upstream.close();
    await app.stop();
  });

  /** Creates a running answer. Returns its signed URL and the response of its upstream. */
  async function create(subject = 'ada', path = '/v1/chat', key = 'chat-1') {
    const headers = {
      authorization: '',
      'x-subject': subject,
      [STREAM_KEY]: key,
      [IDEMPOTENCY_KEY]: `${key}-${subject}`,
    };
    const url = locationOf(app, await post(app, upstream.url + path, { headers }));
    return { url, res: upstream.calls.at(-1)!.res };
  }

  async function open(options: Parameters<Browser['newContext']>[0] = {}, url = app.ops): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on('pageerror', (error) => {
      throw error;
    });
    await page.goto(url);
    await page.getByText('Live', { exact: true }).waitFor();
    return page;
  }

  const rows = () => page.locator('.rows .row:not([hidden])');
  const rowOf = (text: string) => rows().filter({ hasText: text });
  const tile = (name: string) => page.locator('.tile').filter({ hasText: name });

  it('shows what happens now: answers, readers, latencies, outcomes, refused requests, store and process', async () => {
    const { url, res } = await create();
    const read = readSse(await fetch(withQuery(url, { live: 'sse' })));
    await open();
    await tile('Running answers').getByText('1', { exact: true }).waitFor();
    await tile('Readers').getByText('1', { exact: true }).waitFor();
    await tile('First token')
      .getByText(/^\d.* m?s$/)
      .first()
      .waitFor();
    await tile('Append')
      .getByText(/^\d.* ms$/)
      .first()
      .waitFor();
    res.end();
    await read;
    await post(app, 'https://example.com/');
    await page.getByRole('button', { name: /^truncated 1 100 %/ }).waitFor();
    await page.getByText('UPSTREAM_NOT_ALLOWED').waitFor();
    await page.getByText(/^embedded store, /).waitFor();
    await page.getByText('this process, lease held').waitFor();
    await page.getByRole('img', { name: 'Ended in the last hour: 1 truncated' }).waitFor();
  });

  it('filters and sorts the answers, live', async () => {
    const [ada, bob] = [
      await create('ada', '/v1/chat', 'chat-1'),
      await create('bob', '/v1/responses', 'chat-2'),
    ];
    await open();
    await rowOf('bob').waitFor();
    expect(await rows().count()).toBe(2);
    for (const [label, text] of [
      ['Subject', 'bob'],
      ['Key or id', 'chat-2'],
      ['Key or id', new URL(bob.url).pathname.slice(-36)],
      ['Upstream', 'responses'],
    ] as const) {
      await page.getByLabel(label, { exact: true }).fill(text);
      await page.getByText('1 of 2 answers').waitFor();
      await rowOf('ada').waitFor({ state: 'hidden' });
      expect(await rowOf('bob').count()).toBe(1);
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByText('2 answers', { exact: true }).waitFor();
    }
    ada.res.end('data: [DONE]\n\n');
    await rowOf('complete').waitFor();
    await page.getByLabel('State or outcome').selectOption('running');
    await page.getByText('1 of 2 answers').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('columnheader', { name: 'Subject' }).getByRole('button').click();
    const first = page.locator('.rows [aria-rowindex="2"]');
    await first.filter({ hasText: 'ada' }).waitFor();
    await page.getByRole('columnheader', { name: 'Subject' }).getByRole('button').click();
    await first.filter({ hasText: 'bob' }).waitFor();
    expect(await page.getByRole('columnheader', { name: 'Subject' }).getAttribute('aria-sort')).toBe(
      'descending',
    );
  });

  it('shows one answer: timeline, text as text, headers without credentials; copies a link, stops, deletes', async () => {
    const { url, res } = await create();
    const reading = readSse(await fetch(withQuery(url, { live: 'sse' })));
    await open();
    await rowOf('ada').click();
    const panel = page.getByRole('complementary');
    const text = panel.getByRole('region', { name: 'Text of the answer' });
    await text.getByText('Hello <b>reader</b>').waitFor();
    expect(await text.locator('b').count()).toBe(0);
    res.write(EVENT(', and more'));
    await text.getByText('Hello <b>reader</b>, and more').waitFor();
    for (const name of ['Created', 'First byte', 'Reader joined'])
      await panel.getByText(name).first().waitFor();
    await panel.getByText('r-1').waitFor();
    await panel.getByText('[redacted]').waitFor();

    await panel.getByRole('button', { name: 'Copy read-only link' }).click();
    await page.getByText('The link was copied').waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    expect((await fetch(withQuery(link, { action: 'abort' }), { method: 'PATCH' })).status).toBe(401);
    expect((await fetch(link)).status).toBe(200);

    await panel.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    expect(await panel.getByText('running', { exact: true }).count()).toBe(1);
    await panel.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
    await panel.getByText('aborted', { exact: true }).first().waitFor();
    await reading;
    await panel.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No answer yet').waitFor();
    expect(await panel.count()).toBe(0);
    expect((await fetch(link)).status).toBe(404);
  });

  it('works by keyboard', async () => {
    for (const subject of ['ada', 'bob', 'cleo']) await create(subject);
    await open();
    await rowOf('ada').waitFor();
    const focused = () =>
      page.evaluate(() => (document.activeElement as HTMLElement | null)?.innerText ?? '');
    await page.getByRole('columnheader', { name: 'Tokens' }).getByRole('button').focus();
    await page.keyboard.press('Tab');
    expect(await focused()).toContain('cleo');
    await page.keyboard.press('ArrowDown');
    expect(await focused()).toContain('bob');
    await page.keyboard.press('End');
    expect(await focused()).toContain('ada');
    await page.keyboard.press('Enter');
    await page.getByRole('complementary').waitFor();
    expect(await focused()).toBe('ada');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Stop');
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('Cancel');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('Escape');
    await page.getByRole('complementary').waitFor({ state: 'detached' });
    expect(await focused()).toContain('ada');
  });

  it('has no serious finding of axe, in light and dark, on 1440 and 390 px, where nothing overflows', async () => {
    const { res } = await create();
    await create('bob');
    res.end();
    await post(app, 'https://example.com/');
    await open({ bypassCSP: true });
    await page.addScriptTag({ path: AXE });
    for (const [width, colorScheme] of [
      [1440, 'light'],
      [390, 'light'],
      [1440, 'dark'],
      [390, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 844 });
      await page.emulateMedia({ colorScheme });
      await rowOf('bob').waitFor();
      for (const view of ['table', 'answer'] as const) {
        if (view === 'answer') {
          await rowOf('bob').click();
          await page.getByRole('complementary').getByText('r-1').waitFor();
        }
        const findings = await page.evaluate(async () => {
          const { axe } = window as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } };
          const { violations } = await axe.run();
          return violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
        });
        expect([width, colorScheme, view, findings]).toEqual([width, colorScheme, view, []]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([width, view, overflow]).toEqual([width, view, 0]);
      }
      await page.keyboard.press('Escape');
      await page.getByRole('complementary').waitFor({ state: 'detached' });
    }
  });

  it(`draws more than ${MIN_FPS} frames per second with ${RUNNING} running answers`, async () => {
    const replay = await startReplay(RUNNING);
    try {
      await open({}, replay.url);
      await tile('Running answers').getByText('1,000', { exact: true }).waitFor();
      await page.getByRole('columnheader', { name: 'Bytes' }).getByRole('button').click();
      const fps = await page.evaluate(
        (ms) =>
          new Promise<number>((resolve) => {
            const scroller = document.querySelector('.scroller')!;
            const begunAt = performance.now();
            const intervals: number[] = [];
            let last = begunAt;
            const step = (now: number) => {
              intervals.push(now - last);
              last = now;
              scroller.scrollTop += 40;
              if (now - begunAt < ms) return requestAnimationFrame(step);
              // The median: on a busy machine, the browser waits for the CPU before some frames.
              resolve(1_000 / intervals.sort((a, b) => a - b)[intervals.length >> 1]!);
            };
            requestAnimationFrame(step);
          }),
        3_000,
      );
      expect(fps).toBeGreaterThan(MIN_FPS);
      expect(await page.locator('.rows .row').count()).toBeLessThan(60);
    } finally {
      await replay.stop();
    }
  });
});

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}
