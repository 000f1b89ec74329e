import { deflateSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { needs } from '../requirements.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';
import { launchBrowser } from './page.ts';

/** Two seconds of a 440 Hz tone: mono, 16 bits, 8 kHz (RIFF/WAVE). */
function wav(): Buffer {
  const rate = 8_000;
  const samples = 2 * rate;
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + samples * 2, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(samples * 2, 40);
  const tone = Int16Array.from(
    { length: samples },
    (_, i) => 8_000 * Math.sin((i * 440 * 2 * Math.PI) / rate),
  );
  return Buffer.concat([header, Buffer.from(tone.buffer)]);
}

/** A red square of 3 by 3 pixels (PNG, ISO/IEC 15948). */
function png(): Buffer {
  const table = Array.from({ length: 256 }, (_, n) => {
    for (let bit = 0; bit < 8; bit += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n >>> 0;
  });
  const crc = (bytes: Buffer) =>
    ~bytes.reduce((sum, byte) => table[(sum ^ byte) & 0xff]! ^ (sum >>> 8), 0xffffffff) >>> 0;
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const row = Buffer.from([0, 255, 0, 0, 255, 0, 0, 255, 0, 0]);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', Buffer.from([0, 0, 0, 3, 0, 0, 0, 3, 8, 2, 0, 0, 0])),
    chunk('IDAT', deflateSync(Buffer.concat([row, row, row]))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const SCRIPT = '<script xmlns="http://www.w3.org/1999/xhtml">document.title = "ran"</script>';
const ANSWERS: Record<string, readonly [contentType: string, bytes: Buffer]> = {
  '/tone': ['audio/wav', wav()],
  '/square': ['image/png', png()],
  '/html': ['text/html', Buffer.from(`<title>page</title>${SCRIPT}`)],
  '/svg': [
    'image/svg+xml',
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="3" height="3">${SCRIPT}</svg>`),
  ],
  '/xml': ['audio/x+xml', Buffer.from(`<html xmlns="http://www.w3.org/1999/xhtml">${SCRIPT}</html>`)],
  '/text': ['text/plain', Buffer.from(SCRIPT)],
  '/page': ['text/html', Buffer.from('<!doctype html><title>page</title>')],
};

let upstream: Upstream;
let proxy: TestProxy;
let browser: Browser;
let page: Page;

needs('browser')('a finished answer under its own type, in Chromium', () => {
  beforeAll(async () => {
    upstream = await startUpstream(({ req, res }) => {
      const [contentType, bytes] = ANSWERS[req.url ?? ''] ?? [];
      // Browsers ask for /favicon.ico as well.
      if (contentType === undefined) res.writeHead(404).end();
      else res.writeHead(200, { 'content-type': contentType }).end(bytes);
    });
    proxy = await startProxy();
    browser = await launchBrowser();
    page = await browser.newPage();
    await page.goto(`${upstream.url}/page`);
  });

  afterAll(async () => {
    await browser?.close();
    await proxy?.stop({ drainMs: 0 });
    await upstream?.close();
  });

  /** The signed URL of a finished answer, as a page would use it. */
  async function finished(path: string): Promise<string> {
    const location = locationOf(proxy, await post(proxy, upstream.url + path));
    await readSse(await fetch(withQuery(location, { live: 'sse' })));
    return withQuery(location, { as: 'upstream' });
  }

  it('[READ-20][READ-23] <audio> plays it, knows its length, and seeks', async () => {
    const src = await finished('/tone');
    const heard = await page.evaluate(async (src) => {
      const audio = new Audio();
      audio.muted = true;
      const event = (name: string) =>
        new Promise((resolve, reject) => {
          audio.addEventListener(name, resolve, { once: true });
          audio.addEventListener('error', () => reject(new Error(audio.error?.message)), { once: true });
        });
      const loaded = event('loadedmetadata');
      audio.src = src;
      await loaded;
      const { duration } = audio;
      const seeked = event('seeked');
      audio.currentTime = 1.5;
      await seeked;
      const seekedTo = audio.currentTime;
      const ended = event('ended');
      await audio.play();
      await ended;
      return { duration, seekedTo };
    }, src);
    expect(heard.duration).toBeCloseTo(2, 1);
    expect(heard.seekedTo).toBeCloseTo(1.5, 1);
  });

  it('[READ-20] <img> shows it', async () => {
    const src = await finished('/square');
    const size = await page.evaluate(async (src) => {
      const image = new Image();
      image.src = src;
      await image.decode();
      return [image.naturalWidth, image.naturalHeight];
    }, src);
    expect(size).toEqual([3, 3]);
  });

  it.each(['/html', '/svg', '/xml'])('[READ-21] %s is a download: nothing in it runs', async (path) => {
    const url = await finished(path);
    const tab = await browser.newPage();
    const download = tab.waitForEvent('download');
    // A navigation that becomes a download is reported as aborted.
    await tab.goto(url).catch(() => undefined);
    await download;
    expect(await tab.title()).toBe('');
    await tab.close();
  });

  it('[READ-21] <img> does not show an SVG', async () => {
    const src = await finished('/svg');
    const isShown = await page.evaluate((src) => {
      const image = new Image();
      image.src = src;
      return image.decode().then(
        () => true,
        () => false,
      );
    }, src);
    expect(isShown).toBe(false);
  });

  it('[READ-22] a text that is opened runs nothing, and has no origin', async () => {
    const tab = await browser.newPage();
    await tab.goto(await finished('/text'));
    expect(await tab.evaluate(() => [self.origin, document.title])).toEqual(['null', '']);
    expect(await tab.locator('body').innerText()).toBe(SCRIPT);
    await tab.close();
  });
});
