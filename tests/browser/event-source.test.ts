import { expect, it } from 'vitest';
import { ANSWER, FIRST_HALF } from '../samples/support/model.ts';
import { startApp } from './sample-app.ts';
import { describePages, seen } from './sample-page.ts';

/** Creates an answer with plain fetch, and shows what EventSource reads of it. */
const ENTRY = `import { readAnswer } from './client/event-source.ts';
const show = (id, text) => (document.getElementById(id).textContent += text);
const created = await fetch('/v1/proxy', {
  method: 'POST',
  headers: { 'Upstream-URL': new URL('/api/text', location.href).href, 'Upstream-Method': 'POST' },
  body: '{}',
});
const location_ = created.headers.get('location');
document.getElementById('url').textContent = location_;
readAnswer(location_, (text) => show('text', text)).then(
  (outcome) => show('outcome', outcome),
  (error) => show('outcome', error.message),
);`;

const HTML = `<!doctype html><title>Sample</title><p id="url"></p><output id="text"></output><p id="outcome"></p>
<script type="module" src="/page.js"></script>`;

describePages('EventSource', startApp, (describePage) => {
  describePage('[client/event-source.ts]', { entry: ENTRY, html: HTML }, (parts) => {
    it('[SSE-15] [SSE-16] continues a cut answer where it was, with nothing twice', async () => {
      const { page, front, model } = parts();
      model.behavior = 'slow';
      await page.goto(front.origin);
      await seen(page, FIRST_HALF);
      front.cut();
      model.finish();
      await page.locator('#outcome').getByText('complete').waitFor();
      expect(await page.locator('#text').innerText()).toBe(ANSWER);
      // The second connection began after the first half: the text would contain that twice.
      expect(front.methods).toEqual(['POST', 'GET', 'GET']);
      expect(model.calls).toHaveLength(1);
    });

    it('reports a stream that was deleted', async () => {
      const { page, front, model } = parts();
      model.behavior = 'slow';
      await page.goto(front.origin);
      await seen(page, FIRST_HALF);
      const url = new URL((await page.locator('#url').innerText()).split('?')[0]!, front.origin);
      const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
      front.cut();
      expect((await fetch(url, { method: 'DELETE', headers: { cookie } })).status).toBe(204);
      await page.locator('#outcome').getByText('The answer cannot be read').waitFor();
    });
  });
});
