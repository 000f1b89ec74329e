import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SAMPLES } from '../samples/support/bundle.ts';
import { TEXT_FAULTS } from '../samples/support/faults.ts';
import { ANSWER, FIRST_HALF } from '../samples/support/model.ts';
import { clickAsk, testPage } from './page-contract.ts';
import { startApp } from './sample-app.ts';
import { describePages, msUntilCanceled, renderEntry, seen } from './sample-page.ts';

describePages('pages without the AI SDK', startApp, (describePage) => {
  describePage(
    '[react/plain-page.html] with [react/plain-page.ts] needs no React and no SDK',
    {
      entry: `import './react/plain-page.ts';`,
      html: readFileSync(join(SAMPLES, 'react/plain-page.html'), 'utf8'),
    },
    (parts) => {
      const ask = async (prompt = 'On drops') => {
        const { page } = parts();
        await page.getByLabel('Prompt').fill(prompt);
        await clickAsk(page);
      };
      testPage(parts, { ask: () => ask(), stop: 'Stop', hasField: true, faults: TEXT_FAULTS });

      /** Opens the page while an answer of an earlier visit is in progress. */
      const resume = async () => {
        const { page, front, model } = parts();
        await page.goto(front.origin);
        model.behavior = 'slow';
        await ask();
        await seen(page, FIRST_HALF);
        await page.reload();
        await seen(page, FIRST_HALF);
        return parts();
      };

      it('stops a resumed answer', async () => {
        const { page, model } = await resume();
        await page.getByRole('button', { name: 'Stop' }).click();
        expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
        await seen(page, 'Stopped.');
      });

      it('asks another question while a resumed answer arrives, and stops that answer', async () => {
        const { page, model } = await resume();
        model.behavior = 'ok';
        await ask('On other things');
        expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
        await seen(page, ANSWER);
        expect(model.calls.map(({ body }) => body)).toEqual([
          { prompt: 'On drops' },
          { prompt: 'On other things' },
        ]);
        expect(await page.locator('output').innerText()).toBe(ANSWER);
        expect(await page.getByRole('alert').innerText()).toBe('');
      });

      it('asks again after a resumed answer that was cut', async () => {
        const { page, model } = await resume();
        model.behavior = 'ok';
        model.cut();
        await page.getByRole('alert').getByText(/\w/).waitFor();
        await ask();
        await seen(page, ANSWER);
      });

      it('asks while the proxy does not respond to the lookup of an unfinished answer', async () => {
        const { page, front } = parts();
        const isLookup = (url: URL) => url.searchParams.has('key');
        await page.route(isLookup, () => undefined);
        await page.goto(front.origin);
        await ask();
        await seen(page, ANSWER);
        await page.unroute(isLookup);
      });
    },
  );

  describePage(
    '[react/tanstack.tsx] finds a run by its id after a reload, and `abort()` stops it',
    {
      entry: renderEntry('react/tanstack.tsx', 'Chat', '<Chat threadId={location.search} />'),
      bundle: () => ({ replace: { "'/api/chat'": "'/api/run'" } }),
    },
    (parts) => testPage(parts, { ask: clickAsk, stop: 'Stop' }),
  );
});
