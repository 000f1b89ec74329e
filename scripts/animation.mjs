// Records the animation of the README (`npm run screenshot`): the same question to a plain `useChat` and to `useDurableChat`,
// and a reload while both answer. It is the demo's page "Side by side", with a shorter answer and with captions.
/* global window -- In functions that run in the page. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import express from 'express';
import { tsImport } from 'tsx/esm/api';
import { decodePng, encodeApng } from './apng.mjs';
import { withDemo } from './demo-browser.mjs';

const { ANSWERS } = await tsImport('../demo/agent/answers.ts', import.meta.url);
const { createScriptedModel } = await tsImport('../demo/agent/scripted-model.ts', import.meta.url);

const OUT = 'docs/images/reload.png';
const SIZE = { width: 1020, height: 660 };
const FRAME_MS = 100;
/** Milliseconds between two pieces of the answer. */
const PIECE_MS = 55;
const CAPTIONS = {
  ask: 'The same question to a plain useChat, and through durable-proxy',
  reload: 'While both answer, the page is reloaded …',
  end: 'The plain answer is lost. The durable one continued, with one call of the model.',
};

const story = ANSWERS.find(({ about }) => about.test('story')).text;
/** Short enough to be seen whole. Without emoji, which this machine may have no font for. */
const text = story
  .slice(0, story.indexOf('She did not run'))
  .replaceAll(/\p{Extended_Pictographic}\uFE0F? ?/gu, '')
  .trim();
const { router, calls } = createScriptedModel({
  answer: () => ({ reasoning: '', text }),
  pace: (_piece, signal) => delay(PIECE_MS, undefined, { signal }),
});
const model = createServer(express().use('/v1', router)).listen(0, '127.0.0.1');
await once(model, 'listening');

/** Shows a caption above the page, also after a reload. Runs in the page. */
function showCaptions() {
  window.addEventListener('DOMContentLoaded', () => {
    const bar = document.createElement('div');
    Object.assign(bar.style, {
      position: 'fixed',
      inset: '0 0 auto',
      zIndex: 9,
      height: '56px',
      display: 'grid',
      placeContent: 'center',
      background: '#1a1d21',
      color: '#fff',
      font: '600 20px system-ui, sans-serif',
    });
    document.body.append(bar);
    const show = () => (bar.textContent = window.sessionStorage.getItem('caption'));
    window.addEventListener('caption', show);
    show();
  });
}

/** Takes a picture every `FRAME_MS` until the returned function is called, which resolves to the frames. */
async function record(page) {
  const devtools = await page.context().newCDPSession(page);
  const shots = [];
  let isOver = false;
  const done = (async () => {
    while (!isOver) {
      const at = performance.now();
      // Fails between two documents.
      const shot = await devtools
        .send('Page.captureScreenshot', { optimizeForSpeed: true })
        .catch(() => undefined);
      if (shot) shots.push({ at, png: Buffer.from(shot.data, 'base64') });
      await delay(Math.max(0, FRAME_MS - (performance.now() - at)));
    }
  })();
  return async () => {
    isOver = true;
    await done;
    const endAt = performance.now();
    return shots.map(({ at, png }, index) => ({ png, ms: (shots[index + 1]?.at ?? endAt) - at }));
  };
}

const say = (page, words) =>
  page.evaluate((caption) => {
    window.sessionStorage.setItem('caption', caption);
    window.dispatchEvent(new window.Event('caption'));
  }, words);

try {
  await withDemo(
    async (url, browser) => {
      const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' });
      const page = await context.newPage();
      await page.addInitScript(showCaptions);
      await page.goto(`${url}/#/compare`);
      await say(page, CAPTIONS.ask);
      const pane = (name) => page.getByRole('region', { name, exact: true });
      const stop = await record(page);
      await delay(1_000);
      await page.getByLabel('Question for both').press('Enter');
      for (const name of ['Plain useChat', 'useDurableChat']) await pane(name).getByText('Wick').waitFor();
      await say(page, CAPTIONS.reload);
      const reload = page.getByRole('button', { name: 'Reload the page' });
      // Shows which button is pressed.
      await reload.focus();
      await delay(1_200);
      await reload.press('Enter');
      await pane('Plain useChat').getByText('was lost').waitFor();
      await pane('useDurableChat').getByText('Complete', { exact: true }).waitFor();
      await say(page, CAPTIONS.end);
      await delay(3_000);
      const frames = await stop();
      const states = calls.map(({ state }) => state).join();
      if (states !== 'cut,done' && states !== 'done,cut')
        throw new Error(`The model was called as ${states}`);
      const decoded = frames.map(({ png, ms }) => ({ ...decodePng(png), ms }));
      const file = encodeApng(SIZE, decoded);
      await writeFile(OUT, file);
      console.log(`${OUT}: ${frames.length} frames, ${Math.round(file.length / 1_000)} kB`);
    },
    { MODEL_URL: `http://127.0.0.1:${model.address().port}/v1` },
  );
} finally {
  model.closeAllConnections();
  model.close();
}
