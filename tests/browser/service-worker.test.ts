import { expect, it } from 'vitest';
import { bundlePage } from '../samples/support/bundle.ts';
import { ANSWER, FIRST_HALF } from '../samples/support/model.ts';
import { startApp } from './sample-app.ts';
import { describePages, msUntilCanceled, seen } from './sample-page.ts';

/** Asks in the service worker, and sends each piece of the answer to the page. */
const WORKER = `import { createDurableFetch } from 'durable-proxy/client';
const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy' });
let answer;
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('message', (event) => {
  event.waitUntil(event.data === 'stop' ? answer.abort() : ask(event.source));
});
async function ask(page) {
  answer = await durableFetch(new URL('/api/text', location.href).href, { body: '{}', requestId: 'one' });
  const decoder = new TextDecoder();
  try {
    for await (const bytes of answer.body) page.postMessage(decoder.decode(bytes, { stream: true }));
  } catch {}
  page.postMessage('; ' + (await answer.outcome));
}`;

const PAGE = `navigator.serviceWorker.addEventListener('message', ({ data }) => document.body.append(data));
await navigator.serviceWorker.register('/worker.js', { type: 'module' });
const { active } = await navigator.serviceWorker.ready;
globalThis.stop = () => active.postMessage('stop');
active.postMessage('ask');`;

const worker = await bundlePage(WORKER);

describePages('the client in a service worker', startApp, (describePage) => {
  describePage('of a page', { entry: PAGE, worker }, (parts) => {
    it('reads an answer whose connection is cut', async () => {
      const { page, front, model } = parts();
      model.behavior = 'slow';
      await page.goto(front.origin);
      await seen(page, FIRST_HALF);
      front.cut();
      model.finish();
      await seen(page, `${ANSWER}; complete`);
      expect(model.calls).toHaveLength(1);
    });

    it('stops an answer', async () => {
      const { page, front, model } = parts();
      model.behavior = 'slow';
      await page.goto(front.origin);
      await seen(page, FIRST_HALF);
      await page.evaluate('stop()');
      expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
      await seen(page, '; aborted');
    });
  });
});
