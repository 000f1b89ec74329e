import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ANSWER, FIRST_HALF } from '../samples/support/model.ts';
import { mainThreadCpu } from './page.ts';
import { startApp } from './sample-app.ts';
import { describePages, renderEntry, seen, type SampleParts } from './sample-page.ts';

const CHAT = renderEntry('react/chat.tsx', 'Chat', '<Chat id={location.search} />');

async function ask({ page, front }: SampleParts): Promise<string> {
  const url = `${front.origin}/?${randomUUID()}`;
  await page.goto(url);
  await page.getByLabel('Message').fill('On drops');
  await page.getByRole('button', { name: 'Send' }).click();
  return url;
}

/** A page that sends an image of 6 MB with its question, and shows images by the length of their URL. */
const IMAGE_URL_LENGTH = 8_000_000;
const IMAGE_CHAT = `
import { useDurableChat } from 'durable-proxy/react';
import { createRoot } from 'react-dom/client';
function Page() {
  const { messages, sendMessage } = useDurableChat({ id: location.search, api: '/api/chat', proxyUrl: '/v1/proxy' });
  const url = 'data:image/png;base64,'.padEnd(${IMAGE_URL_LENGTH}, 'A');
  return (
    <>
      {messages.map(({ id, parts }) => (
        <p key={id}>
          {parts.map((part) => part.type === 'text' ? part.text : part.type === 'file' ? 'image of ' + part.url.length : '')}
        </p>
      ))}
      <button onClick={() => void sendMessage({ text: 'What is this?', files: [{ type: 'file', mediaType: 'image/png', url }] })}>
        Ask
      </button>
    </>
  );
}
createRoot(document.getElementById('root')!).render(<Page />);`;

/** A service worker that intercepts the proxy's streams and loses each after its first chunk. */
const CUTTING_WORKER = `
self.cuts = 0;
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (!new URL(event.request.url).pathname.startsWith('/v1/proxy')) return;
  event.respondWith(fetch(event.request).then((response) =>
    response.body === null ? response : new Response(response.body.pipeThrough(cutter()), response)));
});
function cutter() {
  let chunks = 0;
  return new TransformStream({
    transform(chunk, controller) {
      chunks += 1;
      if (chunks === 1) return controller.enqueue(chunk);
      self.cuts += 1;
      controller.error(new Error('cut'));
    },
  });
}`;
const BEHIND_WORKER = `
import { createRoot } from 'react-dom/client';
import { Chat } from './react/chat.tsx';
const { serviceWorker } = navigator;
const claimed = new Promise((resolve) => serviceWorker.addEventListener('controllerchange', resolve));
await serviceWorker.register('/worker.js');
if (!serviceWorker.controller) await claimed;
createRoot(document.getElementById('root')!).render(<Chat id={location.search} />);`;

describePages('a chat in Chromium', startApp, (describePage) => {
  describePage(
    'that is stopped before the upstream has responded',
    { entry: CHAT, bundle: () => ({ replace: { "'/api/chat'": "'/api/silent'" } }) },
    (parts) => {
      it.each([0, 100])(
        'ends the upstream request when its tab is closed %s ms later, and asks nothing in a new tab',
        async (ms) => {
          const { context, page, model } = parts();
          model.behavior = 'silent';
          const url = await ask(parts());
          const call = await model.call(0);
          await page.getByRole('button', { name: 'Stop' }).click();
          // The user's pace, not a wait for something.
          if (ms > 0) await setTimeout(ms);
          await page.close();
          expect(await call.closed).toBe(false);

          const again = await context.newPage();
          await again.goto(url);
          await again.getByRole('button', { name: 'Send' }).waitFor();
          await again.waitForLoadState('networkidle');
          expect(model.calls).toHaveLength(1);
        },
      );
    },
  );

  describePage('whose question has an image of 6 MB', { entry: IMAGE_CHAT }, (parts) => {
    it('shows question, image and answer after a reload in the middle of the answer', async () => {
      const { page, front, model } = parts();
      const question = `image of ${IMAGE_URL_LENGTH}What is this?`;
      // The process of this test carries the image through the front, the proxy, the app, the model and DevTools. On a
      // machine with four such processes, that takes longer than anything in the page.
      page.setDefaultTimeout(45_000);
      model.behavior = 'slow';
      await page.goto(front.origin);
      const cpuMs = await mainThreadCpu(page);
      const started = await cpuMs();
      // What a copy of the question costs on this machine, at its present speed.
      await page.evaluate((length) => {
        for (let copy = 0; copy < 10; copy++) JSON.parse(JSON.stringify('x'.repeat(length)));
      }, IMAGE_URL_LENGTH);
      const before = await cpuMs();
      await page.getByRole('button', { name: 'Ask' }).click();
      await seen(page, FIRST_HALF);
      // Most of it is the browser's own: scripts take 35 of 540 ms on a machine of 2026.
      expect((await cpuMs()) - before).toBeLessThan(6 * (before - started));
      await page.reload();
      await seen(page, FIRST_HALF);
      await seen(page, question);
      model.finish();
      await seen(page, ANSWER);
      await seen(page, question);
      expect(model.calls).toHaveLength(1);
      expect(await page.evaluate(() => JSON.stringify(localStorage).length)).toBeLessThan(10_000);
    });
  });

  describePage('behind a service worker', { entry: BEHIND_WORKER, worker: CUTTING_WORKER }, (parts) => {
    it('shows the whole answer although the worker cuts each stream', async () => {
      const { context, page, model } = parts();
      model.behavior = 'slow';
      await ask(parts());
      await seen(page, FIRST_HALF);
      model.finish();
      await seen(page, ANSWER);
      await page.getByRole('button', { name: 'Send' }).waitFor();
      const cuts = await context.serviceWorkers()[0]!.evaluate(() => (self as { cuts?: number }).cuts);
      expect(cuts).toBeGreaterThan(0);
      expect(await page.getByRole('alert').count()).toBe(0);
      expect(model.calls).toHaveLength(1);
    });
  });
});
