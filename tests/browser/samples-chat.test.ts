import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { ANSWER, FIRST_HALF, type Behavior } from '../samples/support/model.ts';
import { startSample } from '../samples/support/server-process.ts';
import { describeSample, msUntilCanceled, renderEntry, SECRET, seen } from './sample-page.ts';

describeSample(
  '[react/chat.tsx] with [react/express-server.ts]',
  {
    entry: renderEntry('react/chat.tsx', 'Chat', '<Chat id={location.search} />'),
    async start(front, model) {
      const server = await startSample('react/express-server.ts', {
        JWT_SECRET: SECRET,
        CHAT_KEY: 'a-key-of-the-samples',
        APP_URL: front.origin,
        OPENAI_BASE_URL: model.url,
        OPENAI_API_KEY: 'sk-stand-in',
      });
      front.route({ '/': `http://127.0.0.1:${server.port}` });
      return server;
    },
  },
  (parts) => {
    const open = async () => {
      const { page, front } = parts();
      // Each test is a chat of its own.
      await page.goto(`${front.origin}/?${randomUUID()}`);
      const field = page.getByLabel('Message');
      const send = async (text: string) => {
        await field.fill(text);
        await page.getByRole('button', { name: 'Send' }).click();
      };
      await field.waitFor();
      return { ...parts(), field, send };
    };

    it('sends a message and shows the answer', async () => {
      const { page, send, model, errors } = await open();
      await send('On drops');
      await seen(page, ANSWER);
      await page.getByRole('button', { name: 'Send' }).waitFor();
      expect(model.calls).toHaveLength(1);
      expect(errors).toEqual([]);
    });

    it('never sends blank input, by button or by Enter', async () => {
      const { page, field, send, front, model } = await open();
      for (const blank of ['', '   ']) {
        await send(blank);
        await field.press('Enter');
      }
      // A message that does go out shows that nothing went before it.
      await send('On drops');
      await seen(page, ANSWER);
      expect(front.methods.filter((method) => method === 'POST')).toHaveLength(1);
      expect(model.calls).toHaveLength(1);
    });

    it('sends one PATCH and no POST on Stop, and ends the model’s request within a second', async () => {
      const { page, send, front, model } = await open();
      model.behavior = 'slow';
      await send('On drops');
      await seen(page, FIRST_HALF);
      front.reset();
      await page.getByRole('button', { name: 'Stop' }).click();
      expect(await msUntilCanceled(model, 0)).toBeLessThan(1000);
      await page.getByRole('button', { name: 'Send' }).waitFor();
      await seen(page, 'Stopped');
      expect(front.methods.filter((method) => method !== 'GET')).toEqual(['PATCH']);
      expect(model.calls).toHaveLength(1);
    });

    it('resumes the answer after a reload', async () => {
      const { page, send, model } = await open();
      model.behavior = 'slow';
      await send('On drops');
      await seen(page, FIRST_HALF);
      await page.reload();
      await seen(page, FIRST_HALF);
      model.finish();
      await seen(page, ANSWER);
      expect(model.calls).toHaveLength(1);
    });

    it.each<Behavior>([401, 429, 500, 'breaks', 'short'])(
      'shows an error when the model answers %s, and the whole answer after “Try again”',
      async (behavior) => {
        const { page, send, model } = await open();
        model.behavior = behavior;
        await send('On drops');
        await page.getByRole('alert').waitFor();
        expect((await page.getByRole('alert').innerText()).trim()).not.toBe('');
        model.behavior = 'ok';
        await page.getByRole('button', { name: 'Try again' }).click();
        await seen(page, ANSWER);
        await page.getByRole('alert').waitFor({ state: 'detached' });
      },
    );

    it('logs no error while nothing happens', async () => {
      // The hook asks the proxy once whether an answer of this chat is in progress.
      const lookup = parts().page.waitForResponse((response) => response.url().includes('/v1/proxy?key='));
      const { page, errors } = await open();
      await (await lookup).finished();
      await page.waitForLoadState('networkidle');
      expect(errors).toEqual([]);
    });
  },
);
