// Takes the pictures of the demo in docs/images: wide and on a phone, light and dark (`npm run screenshot`).
import { ask, shows, withDemo } from './demo-browser.mjs';

const SIZES = [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
];

await withDemo(async (url, browser) => {
  for (const colorScheme of ['light', 'dark'])
    for (const viewport of SIZES) {
      const isPhone = viewport.width < 500;
      const context = await browser.newContext({
        viewport,
        colorScheme,
        isMobile: isPhone,
        hasTouch: isPhone,
      });
      const page = await context.newPage();
      const name = `docs/images/demo-${viewport.width}-${colorScheme}.png`;
      await page.goto(url);
      await ask(page, 'Show me code that reconnects a stream in TypeScript');
      await shows(page, 'let offset');
      await page.evaluate(() =>
        fetch('/demo/offline', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ seconds: 1.5 }),
        }),
      );
      if (isPhone) await page.getByRole('button', { name: 'Connection', exact: true }).click();
      await page.getByRole('button', { name: 'Answer again' }).waitFor({ timeout: 60_000 });
      await page.screenshot({ path: name });
      await context.close();
    }
});
