import { expect, it } from 'vitest';
import { FIRST_HALF } from '../samples/support/model.ts';
import { startSample } from '../samples/support/server-process.ts';
import { describeSample, renderEntry, SECRET, seen } from './sample-page.ts';

describeSample(
  '[react/logout.tsx]',
  {
    entry: renderEntry('react/logout.tsx', 'Chat', '<Chat user={{ id: document.cookie }} />'),
    async start(front, model) {
      const env = {
        JWT_SECRET: SECRET,
        CHAT_KEY: 'a-key-of-the-samples',
        APP_URL: front.origin,
        OPENAI_BASE_URL: model.url,
        OPENAI_API_KEY: 'sk-stand-in',
      };
      // The session of this app is the name of the user.
      const replace = {
        "isProduction ? null : { id: 'developer' }": "{ id: _request.headers.cookie ?? 'nobody' }",
      };
      const server = await startSample('react/express-server.ts', env, { replace });
      front.route({ '/': `http://127.0.0.1:${server.port}` });
      return server;
    },
  },
  (parts) => {
    const logIn = (user: string) =>
      parts()
        .page.context()
        .addCookies([{ name: 'user', value: user, url: parts().front.origin }]);

    /** All that the browser stores for the page. */
    const stored = () =>
      parts().page.evaluate(async () => {
        const items: unknown[] = [];
        for (const { name } of await indexedDB.databases()) {
          const database = await new Promise<IDBDatabase>((resolve) => {
            const request = indexedDB.open(name!);
            request.onsuccess = () => resolve(request.result);
          });
          for (const table of database.objectStoreNames) {
            const request = database.transaction(table).objectStore(table).getAll();
            items.push(
              ...(await new Promise<unknown[]>((resolve) => {
                request.onsuccess = () => resolve(request.result as unknown[]);
              })),
            );
          }
          database.close();
        }
        return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, items]);
      });

    /** Asks as Ada, and waits for half of the answer. */
    const ask = async () => {
      const { page, front, model } = parts();
      model.behavior = 'slow';
      await logIn('ada');
      await page.goto(front.origin);
      await page.getByRole('button', { name: 'Ask' }).click();
      await seen(page, FIRST_HALF);
      await expect.poll(stored).toContain('Why is water wet?');
    };

    it('shows the next user nothing of an answer in progress, and resumes it for the first', async () => {
      const { page, model } = parts();
      await ask();
      await logIn('bob');
      const lookup = page.waitForResponse((response) => response.url().includes('/v1/proxy?key='));
      await page.reload();
      expect((await lookup).status()).toBe(204);
      await page.getByRole('button', { name: 'Ask' }).waitFor();
      expect(await page.locator('p').count()).toBe(0);

      await logIn('ada');
      await page.reload();
      await seen(page, FIRST_HALF);
      expect(await page.locator('p').first().innerText()).toBe('user: Why is water wet?');
      expect(model.calls).toHaveLength(1);
    });

    it('leaves nothing in the browser when the user logs out, and does not stop the answer', async () => {
      const { page, front, model } = parts();
      await ask();
      front.reset();
      // The app's own route: it ends the session of Ada.
      await page.route('**/logout', async (route) => {
        await logIn('bob');
        await route.fulfill({ status: 204 });
      });
      const reloaded = page.waitForEvent('load');
      await page.getByRole('button', { name: 'Log out' }).click();
      await reloaded;
      await page.getByRole('button', { name: 'Ask' }).waitFor();
      expect(await page.locator('p').count()).toBe(0);
      await expect.poll(stored).toBe('[{},{},[]]');
      expect(front.methods).not.toContain('PATCH');
      model.finish();
      expect(await (await model.call(0)).closed).toBe(true);
    });
  },
);
