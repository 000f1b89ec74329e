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
    '[react/words.tsx] replaces the words, the looks and the whole component',
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

      it('shows a lost connection in other words and another color', async () => {
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

      it('says nothing of a stop where the word is empty', async () => {
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
