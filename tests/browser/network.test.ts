import type { BrowserContext } from 'playwright-core';
import { expect, it } from 'vitest';
import { ANSWER, MIDDLE, QUESTION } from './answer.ts';
import { describeDemo, inMidAnswer } from './describe-demo.ts';
import { expectConversation, expectSurvived, openPage, said, seen, send, state } from './page.ts';

/** Destroys the sockets that carry the answers of this browser, without asking the page. */
async function cutFromOutside(context: BrowserContext, url: string): Promise<void> {
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const cut = await fetch(`${url}/demo/cut`, { method: 'POST', headers: { cookie } });
  expect(await cut.json()).toEqual({ cut: 1 });
}

describeDemo('a bad network', (parts) => {
  it('continues after being offline, with the missed bytes', async () => {
    const { context, demo, model } = parts();
    const page = await inMidAnswer(parts());
    await context.setOffline(true);
    // Chromium keeps what is open when it goes offline; a network does not.
    await cutFromOutside(context, demo.url);
    await state(page, 'Reconnecting');
    // The model does not wait for the reader.
    model.release();
    expect(await model.ended(0)).toMatchObject({ state: 'done' });
    // An attempt fails at once, and is shown only until the next one.
    await page.waitForFunction(() => /attempt ([3-9]|\d\d)/.test(document.body.innerText));
    await context.setOffline(false);
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    await expectSurvived(page, { reconnections: 1 });
    expect(model.calls).toHaveLength(1);
  });

  it('continues after five seconds without any packet', async () => {
    const { model } = parts();
    const page = await inMidAnswer(parts());
    await page.getByRole('button', { name: 'Go offline for 5 s' }).click();
    await state(page, 'Reconnecting');
    model.release();
    expect(await model.ended(0)).toMatchObject({ state: 'done' });
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    await expectSurvived(page, { reconnections: 1 });
    expect(model.calls).toHaveLength(1);
  });

  it('streams over a slow line', async () => {
    const { context, model } = parts();
    const page = await inMidAnswer(parts());
    const cdp = await context.newCDPSession(page);
    // What browsers call "slow 3G": 400 kbit/s and 400 ms.
    await cdp.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 400,
      downloadThroughput: 50_000,
      uploadThroughput: 50_000,
    });
    await page.getByRole('button', { name: 'Cut the connection' }).click();
    model.release();
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    await expectSurvived(page, { reconnections: 1 });
    await send(page, 'And all of it, slowly?');
    await seen(page, 'And all of it, slowly?');
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER, 'And all of it, slowly?', ANSWER]);
    expect(model.calls).toMatchObject([{ state: 'done' }, { state: 'done' }]);
  });

  it('wakes up from sleep with the whole answer', async () => {
    const { context, demo, model } = parts();
    const page = await inMidAnswer(parts());
    const cdp = await context.newCDPSession(page);
    await cdp.send('Page.setWebLifecycleState', { state: 'frozen' });
    // Asleep: no timer and no event runs, while the network forgets the connection.
    await cutFromOutside(context, demo.url);
    model.release();
    expect(await model.ended(0)).toMatchObject({ state: 'done' });
    await cdp.send('Page.setWebLifecycleState', { state: 'active' });
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    await expectSurvived(page);
    expect(model.calls).toHaveLength(1);
  });

  it('works without storage, as long as the page lives', async () => {
    const { context, model } = parts();
    await context.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('Access is denied for this document.', 'SecurityError');
          },
        });
      }
    });
    const page = await inMidAnswer(parts());
    await page.getByRole('button', { name: 'Cut the connection' }).click();
    await seen(page, 'Resumed at offset');
    model.release();
    await state(page, 'Complete');
    await expectConversation(page, [QUESTION, ANSWER]);
    await expectSurvived(page, { reconnections: 1 });
    expect(model.calls).toMatchObject([{ state: 'done' }]);
  });
});

describeDemo(
  'an address that expires during an answer',
  (parts) => {
    it('is renewed, and the answer continues', async () => {
      const { context, demo, model } = parts();
      const page = await openPage(context, demo.url);
      const addresses: string[] = [];
      page.on('request', (request) => {
        if (/[?&]signature=/.test(request.url())) addresses.push(request.url());
      });
      model.holdAfter(MIDDLE);
      await send(page, QUESTION);
      await seen(page, MIDDLE);
      await page.getByRole('button', { name: 'Cut the connection' }).click();
      await seen(page, 'Resumed at offset');
      // Without `live` a read answers at once.
      const first = (addresses[0] ?? '').replace(/&live=[^&]*/, '');
      for (let status = 0; status !== 401;) {
        const read = await fetch(first);
        await read.arrayBuffer();
        status = read.status;
      }
      await page.getByRole('button', { name: 'Cut the connection' }).click();
      model.release();
      await state(page, 'Complete');
      await expectConversation(page, [QUESTION, ANSWER]);
      await expectSurvived(page, { reconnections: 2 });
      const signatures = addresses.map((address) => new URL(address).searchParams.get('signature'));
      expect(new Set(signatures).size).toBeGreaterThan(1);
      expect(model.calls).toMatchObject([{ state: 'done' }]);
    });
  },
  { env: { URL_EXPIRATION_SECONDS: '2' } },
);

describeDemo(
  'back and forward',
  (parts) => {
    it('shows the whole answer after the user leaves the page and goes back', async () => {
      const { demo, model } = parts();
      const page = await inMidAnswer(parts());
      await page.goto(`${demo.url}/favicon.svg`);
      model.release();
      expect(await model.ended(0)).toMatchObject({ state: 'done' });
      // A page from the cache is there at once, and loads nothing.
      await page.goBack({ waitUntil: 'commit' });
      await state(page, 'Complete');
      await expectConversation(page, [QUESTION, ANSWER]);
      await expectSurvived(page);
      // It was the cached page that came back, not a new one.
      expect(await said(page)).toContain('Asking the model');
      expect(model.calls).toHaveLength(1);
    });
  },
  // The headless shell has no back/forward cache.
  { browser: 'chromium', launch: { ignoreDefaultArgs: ['--disable-back-forward-cache'] } },
);
