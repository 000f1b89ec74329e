import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { UIMessage } from '@ai-sdk/react';
import type { Page, Request } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import type { Front } from '../samples/support/front.ts';
import { ANSWER, FIRST_HALF, type StandInModel } from '../samples/support/model.ts';
import { startApp } from './sample-app.ts';
import { describePages, msUntilCanceled, seen } from './sample-page.ts';

/** A page with the chat of the sample. The test hides and shows it. */
const ENTRY = `
import { createRoot } from 'react-dom/client';
import { useMyChat } from './react/devices.tsx';
let visibility = 'visible';
Object.defineProperty(document, 'visibilityState', { get: () => visibility });
window.setVisibility = (value) => {
  visibility = value;
  document.dispatchEvent(new Event('visibilitychange'));
};
function Page() {
  const chat = useMyChat(new URLSearchParams(location.search).get('chat') ?? 'one-chat', []);
  return (
    <>
      {chat.messages.map(({ id, role, parts }) => (
        <p key={id} className={role}>{parts.map((part) => (part.type === 'text' ? part.text : ''))}</p>
      ))}
      <output>{chat.status}</output>
      <button onClick={() => void chat.sendMessage({ text: 'On drops' })}>Ask</button>
      <button onClick={() => void chat.stop()}>Stop</button>
    </>
  );
}
createRoot(document.getElementById('root')!).render(<Page />);`;

/** The questions that the app has stored. */
const stored: UIMessage[] = [
  { id: 'question', role: 'user', parts: [{ type: 'text', text: 'The stored question' }] },
];

async function start(front: Front, model: StandInModel) {
  const app = await startApp(front, model);
  const messages = createServer((_, response) => response.end(JSON.stringify(stored)));
  messages.listen(0, '127.0.0.1');
  await once(messages, 'listening');
  front.route({
    '/api/messages': `http://127.0.0.1:${(messages.address() as AddressInfo).port}`,
    ...front.targets,
  });
  return {
    ...app,
    async dispose() {
      messages.closeAllConnections();
      messages.close();
      await app.dispose();
    },
  };
}

const click = (page: Page, name: string) => page.getByRole('button', { name }).click();
const setVisibility = (page: Page, value: 'visible' | 'hidden') =>
  page.evaluate(
    (to) => (window as unknown as { setVisibility(value: string): void }).setVisibility(to),
    value,
  );
const untilStatus = (page: Page, status: string) =>
  page.waitForFunction((wanted) => document.querySelector('output')?.textContent === wanted, status);

/** Returns how many tabs of a browser have the lock of a chat, and how many wait for it. */
const locksOf = (page: Page, chat: string) =>
  page.evaluate(async (ending) => {
    const { held = [], pending = [] } = await navigator.locks.query();
    return [held, pending].map((locks) => locks.filter(({ name }) => name?.endsWith(ending)).length);
  }, `:${chat}`);

/** Returns a function that returns the number of connections of a page that follow a name. */
function countFollows(page: Page): () => number {
  const open = new Set<Request>();
  page.on('request', (request) => {
    const { searchParams } = new URL(request.url());
    if (searchParams.has('key') && searchParams.get('live') === 'sse') open.add(request);
  });
  for (const event of ['requestfinished', 'requestfailed'] as const) {
    page.on(event as 'requestfinished', (request) => void open.delete(request));
  }
  return () => open.size;
}

describePages('a second device', start, (describePage) => {
  describePage('[react/devices.tsx] in two browsers', { entry: ENTRY }, (parts) => {
    /** Opens a page of the same user in a browser of its own. */
    const openDevice = async (query = ''): Promise<Page> => {
      const { context, front } = parts();
      const device = await context.browser()!.newContext();
      onTestFinished(() => device.close());
      await device.addCookies(await context.cookies());
      device.setDefaultTimeout(15_000);
      const page = await device.newPage();
      await page.goto(front.origin + query);
      return page;
    };

    it('shows an answer within a second of its first token, after the stored question, and stops it from both', async () => {
      const { page, front, model } = parts();
      await page.goto(front.origin);
      const second = await openDevice();
      model.behavior = 'slow';
      for (const [turn, stopper] of [second, page].entries()) {
        await click(page, 'Ask');
        // Not by the text alone: the answer that was stopped before has the same.
        await Promise.all([model.call(turn), untilStatus(page, 'streaming')]);
        await seen(page, FIRST_HALF);
        const begunAt = performance.now();
        await untilStatus(second, 'streaming');
        await seen(second, FIRST_HALF);
        expect(performance.now() - begunAt).toBeLessThan(1_000);
        expect(await second.locator('p').allInnerTexts()).toEqual(['The stored question', FIRST_HALF]);
        await click(stopper, 'Stop');
        await msUntilCanceled(model, turn);
        await Promise.all([untilStatus(page, 'ready'), untilStatus(second, 'ready')]);
      }
    });

    it('shows answers in three visible tabs over one connection, which another tab takes over', async () => {
      const { context, front, model } = parts();
      const chat = 'three-tabs';
      const tabs: { tab: Page; follows: () => number }[] = [];
      while (tabs.length < 3) {
        const tab = await context.newPage();
        tabs.push({ tab, follows: countFollows(tab) });
        await tab.goto(`${front.origin}/?chat=${chat}`);
      }
      const device = await openDevice(`/?chat=${chat}`);
      for (const turn of [0, 1, 2]) {
        await expect.poll(() => locksOf(tabs[0]!.tab, chat)).toEqual([1, tabs.length - 1]);
        await expect.poll(() => tabs.filter(({ follows }) => follows() === 1)).toHaveLength(1);
        model.behavior = 'slow';
        await click(device, 'Ask');
        await model.call(turn);
        for (const { tab } of tabs) {
          await untilStatus(tab, 'streaming');
          await seen(tab, FIRST_HALF);
        }
        expect(tabs.map(({ follows }) => follows()).sort()).toEqual([...tabs.slice(1).map(() => 0), 1]);
        model.finish();
        for (const { tab } of [...tabs, { tab: device }]) await untilStatus(tab, 'ready');
        const leader = tabs.findIndex(({ follows }) => follows() === 1);
        if (tabs.length > 1) await tabs.splice(leader, 1)[0]!.tab.close();
      }
      expect(model.calls).toHaveLength(3);
    });

    it('shows an answer in the seventh tab while six other ones are hidden, and in those when they are visible', async () => {
      const { page, context, front, model } = parts();
      // A chat of its own, without an earlier answer.
      const query = '/?chat=seven-tabs';
      await page.goto(front.origin + query);
      const tabs = [page];
      while (tabs.length < 7) {
        await setVisibility(tabs.at(-1)!, 'hidden');
        const tab = await context.newPage();
        await tab.goto(front.origin + query);
        tabs.push(tab);
      }
      const device = await openDevice(query);
      model.behavior = 'slow';
      await click(device, 'Ask');
      await Promise.all([model.call(0), untilStatus(tabs[6]!, 'streaming')]);
      await seen(tabs[6]!, FIRST_HALF);
      model.finish();
      // As an app does at the end of an answer. A tab that is shown later gets the answer from there.
      stored.push({ id: 'answer', role: 'assistant', parts: [{ type: 'text', text: ANSWER }] });
      onTestFinished(() => void stored.splice(1));
      for (const tab of tabs) {
        await setVisibility(tab, 'visible');
        await seen(tab, ANSWER);
      }
      expect(model.calls).toHaveLength(1);
    });
  });
});
