import { beforeEach, describe, expect, it } from 'vitest';
import { ANSWER, FIRST_HALF } from '../samples/support/model.ts';
import { clickAsk, testPage } from './page-contract.ts';
import { startApp } from './sample-app.ts';
import { describePages, renderEntry, SECRET, seen } from './sample-page.ts';

/** A page around a hook or a component of a sample. `body` uses `chat`. */
const chatPage = (imports: string, hook: string, body = '') => `
import { createRoot } from 'react-dom/client';
${imports}
function Page() {
  const chat = ${hook};
  return (
    <>
      {chat.messages.map(({ id, parts }) => (
        <p key={id}>{parts.map((part) => (part.type === 'text' ? part.text : ''))}</p>
      ))}
      {chat.error && <p role="alert">{chat.error.message}</p>}
      <button disabled={chat.status === 'submitted' || chat.status === 'streaming'}
        onClick={() => void chat.sendMessage({ text: 'On drops' })}>Ask</button>
      <button onClick={() => void chat.stop()}>Stop</button>
      ${body}
    </>
  );
}
createRoot(document.getElementById('root')!).render(<Page />);`;

describePages('the chats of README and docs/react.md', startApp, (describePage) => {
  describePage(
    '[readme/chat.tsx] returns what `useChat` returns, and survives a reload',
    { entry: renderEntry('readme/chat.tsx', 'Chat', '<Chat />') },
    (parts) => testPage(parts, { ask: clickAsk, stop: 'Stop' }),
  );

  describePage(
    '[react/transport.tsx] keeps the SDK’s own `useChat`, and `transport.abort(id)` stops the answer',
    { entry: renderEntry('react/transport.tsx', 'Chat', '<Chat id={location.search} />') },
    (parts) => testPage(parts, { ask: clickAsk, stop: 'Stop' }),
  );

  describePage(
    '[react/migration-chat.tsx] with [react/migration-route.ts] continues by itself, and `stop()` stops the model',
    {
      entry: chatPage(
        `import { useMyChat } from './react/migration-chat.tsx';`,
        'useMyChat(location.search, [])',
      ),
    },
    (parts) => testPage(parts, { ask: clickAsk, stop: 'Stop' }),
  );

  describePage(
    '[react/next-chat.tsx] reaches the proxy on its own origin with a token of [react/next-token-route.ts]',
    {
      entry: renderEntry('react/next-chat.tsx', 'Chat', '<Chat id={location.search} messages={[]} />'),
      bundle: (_front, { proxyUrl }) => ({ replace: { 'https://proxy.example.com/v1/proxy': proxyUrl } }),
    },
    (parts) => {
      const signIn = () => {
        const { context, front } = parts();
        return context.addCookies([{ name: 'user', value: 'ada', url: front.origin }]);
      };

      it('asks a visitor without a session to sign in', async () => {
        const { page, front, model } = parts();
        await page.goto(front.origin);
        await clickAsk(page);
        await page.getByRole('alert').getByText('Sign in again').waitFor();
        expect(model.calls).toHaveLength(0);
      });

      describe('with a session', () => {
        beforeEach(signIn);
        testPage(parts, { ask: clickAsk });

        it('never has the secret', async () => {
          const { page, front } = parts();
          const sent: string[] = [];
          page.on('request', (request) => sent.push(request.headers()['authorization'] ?? ''));
          await page.goto(front.origin);
          await clickAsk(page);
          await seen(page, ANSWER);
          expect(sent.filter((value) => value.startsWith('Bearer ey')).length).toBeGreaterThan(0);
          expect(sent.join()).not.toContain(SECRET);
        });
      });
    },
  );

  describePage(
    '[react/devtools.tsx] shows the answers of the page and disturbs their connections',
    { entry: renderEntry('react/devtools.tsx', 'App', '<App />') },
    (parts) => {
      testPage(parts, { ask: clickAsk, stop: 'Stop', faults: [] });

      it('drops the connection, goes offline, and shows how the answer continued', async () => {
        const { page, front, model, errors } = parts();
        await page.goto(front.origin);
        const button = (name: string) => page.getByRole('button', { name });
        await button('Open durable-proxy devtools').click();
        model.behavior = 'slow';
        await clickAsk(page);
        await seen(page, FIRST_HALF);
        const timeline = page.getByRole('list', { name: 'Timeline' });
        await button('Drop the connection').click();
        await timeline.getByText('Reads from offset').waitFor();
        await button('Go offline for 5 s').click();
        await page.locator('dd', { hasText: 'reconnecting' }).waitFor();
        model.finish();
        await seen(page, ANSWER);
        await timeline.getByText('Closed: complete').waitFor();
        expect(await page.locator('.durable-devtools').innerHTML()).not.toContain('signature');
        expect(model.calls).toHaveLength(1);
        expect(errors).toEqual([]);
      });

      it('slows the reader, without losing a byte or asking twice', async () => {
        const { page, front, model, errors } = parts();
        await page.goto(front.origin);
        await page.getByRole('button', { name: 'Open durable-proxy devtools' }).click();
        model.behavior = 'slow';
        await clickAsk(page);
        await seen(page, FIRST_HALF);
        const received = async () => parseInt(await page.locator('dd', { hasText: / bytes$/ }).innerText());
        const before = await received();
        const slow = page.getByRole('button', { name: 'Slow the reader' });
        await slow.click();
        await page.getByRole('status').getByText('Reading 400 bytes per second').waitFor();
        const startedAt = performance.now();
        model.finish();
        await seen(page, ANSWER);
        await page.getByRole('list', { name: 'Timeline' }).getByText('Closed: complete').waitFor();
        const seconds = (performance.now() - startedAt) / 1_000;
        // Base64 in events is longer than the bytes that the devtools count.
        expect(seconds).toBeGreaterThan(((await received()) - before) / 400);
        await slow.click();
        await page.getByRole('status').getByText('Reading at full speed').waitFor();
        expect(await page.getByText(ANSWER).count()).toBe(1);
        expect(model.calls).toHaveLength(1);
        expect(front.methods.filter((method) => method === 'POST')).toHaveLength(1);
        expect(errors).toEqual([]);
      });

      it('clears what the client has stored', async () => {
        const { page, front, model } = parts();
        await page.goto(front.origin);
        await page.getByRole('button', { name: 'Open durable-proxy devtools' }).click();
        model.behavior = 'slow';
        await clickAsk(page);
        await seen(page, FIRST_HALF);
        await page.getByRole('button', { name: 'Clear storage' }).click();
        const keys = () => Object.keys(localStorage).filter((key) => key.startsWith('durable-proxy:'));
        expect(await page.evaluate(keys)).toEqual([]);
      });
    },
  );

  describePage(
    '[react/words.tsx] replaces the texts, the styles and the whole component',
    {
      entry: chatPage(
        `import { useDurableChat } from 'durable-proxy/react';
         import { Own, Ready } from './react/words.tsx';`,
        `useDurableChat({ id: location.search, api: '/api/chat', proxyUrl: '/v1/proxy' })`,
        '<Ready chat={chat} /><Own chat={chat} />',
      ),
    },
    (parts) => {
      const begin = async () => {
        const { page, front, model } = parts();
        await page.goto(front.origin);
        model.behavior = 'slow';
        await clickAsk(page);
        await seen(page, FIRST_HALF);
        return parts();
      };

      it('shows a lost connection with another text and color', async () => {
        const { context, page, front, model } = await begin();
        await context.setOffline(true);
        front.cut();
        await seen(page, 'Verbindung weg, ich versuche es weiter …');
        await page.locator('footer[data-lost=true]').getByText('You are offline').waitFor();
        const dot = page.locator('[data-status=reconnecting] > [aria-hidden]');
        expect(await dot.evaluate((element) => getComputedStyle(element).backgroundColor)).toBe(
          'rgb(255, 165, 0)',
        );
        model.finish();
        await context.setOffline(false);
        await seen(page, ANSWER);
        await page.locator('footer[data-lost=false]').waitFor({ state: 'attached' });
      });

      it('shows nothing for a stop if its text is empty', async () => {
        const { page } = await begin();
        await page.getByRole('button', { name: 'Stop' }).click();
        await page.locator('footer').getByText('Stopped').waitFor();
        expect((await page.locator('[data-status=aborted]').innerText()).trim()).toBe('');
      });

      it.each(['Noch einmal', 'Try again'])('asks again with the button “%s”', async (name) => {
        const { page, front, model } = parts();
        await page.goto(front.origin);
        model.behavior = 'breaks';
        await clickAsk(page);
        await page.getByRole('button', { name }).waitFor();
        model.behavior = 'ok';
        await page.getByRole('button', { name }).click();
        await seen(page, ANSWER);
        await page.getByRole('button', { name }).waitFor({ state: 'detached' });
      });
    },
  );
});
