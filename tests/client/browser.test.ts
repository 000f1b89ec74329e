import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { build } from 'vite';
import type * as Client from '../../core-client/index.ts';
import { commandPath, needs } from '../requirements.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

declare const client: typeof Client;

interface Site {
  readonly port: number;
  close(): Promise<void>;
}

/** A service worker that forwards requests, and cuts each body at its second part with data. */
const CUTTING_WORKER = `
  addEventListener('install', () => skipWaiting());
  addEventListener('activate', (event) => event.waitUntil(clients.claim()));
  addEventListener('fetch', (event) => event.respondWith((async () => {
    const response = await fetch(event.request);
    if (!response.headers.get('content-type')?.includes('text/event-stream')) return response;
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let parts = 0;
    const body = new ReadableStream({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        if (/(^|\\n\\n)(event: base64\\n)?data: /.test(decoder.decode(value)) && ++parts === 2) {
          void reader.cancel();
          return controller.error(new Error('The worker was stopped'));
        }
        controller.enqueue(value);
      },
    });
    return new Response(body, response);
  })()));
`;

/** A page with only the client, and the client as a script for a worker. */
async function startSite(): Promise<Site> {
  const entry = fileURLToPath(new URL('../../core-client/index.ts', import.meta.url));
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, lib: { entry, formats: ['iife'], name: 'client', fileName: 'client' } },
  });
  const script = (Array.isArray(result) ? result : [result]).flatMap((built) =>
    'output' in built ? built.output : [],
  )[0]!;
  const server = createServer((req, res) => {
    const isScript = req.url?.endsWith('.js');
    res.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    if (req.url === '/worker.js') res.end(CUTTING_WORKER);
    else if (isScript && script.type === 'chunk') res.end(script.code);
    else res.end('<!doctype html><script src="/client.js"></script>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

needs('browser')('the client in Chromium', () => {
  let site: Site;
  let proxy: TestProxy;
  let upstream: Upstream;
  let browser: Browser;
  let page: Page;
  let options: { proxyUrl: string; proxyAuthorization: string; target: string };

  beforeAll(async () => {
    site = await startSite();
    proxy = await startProxy();
    browser = await chromium.launch({
      executablePath: commandPath('browser'),
      // A host name other than localhost is an insecure context, without crypto.subtle.
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--host-resolver-rules=MAP insecure.test 127.0.0.1',
      ],
    });
  });
  afterAll(async () => {
    await browser.close();
    await proxy.stop();
    await site.close();
  });
  beforeEach(async () => {
    upstream = await startUpstream(({ res, body }) => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.end(`answer to ${body.toString()} ☂`);
    });
    options = { proxyUrl: proxy.base, proxyAuthorization: SECRET, target: `${upstream.url}/v1` };
    page = await (await browser.newContext()).newPage();
  });
  afterEach(async () => {
    await page.context().close();
    await upstream.close();
  });
  const open = (host = '127.0.0.1', to = page) => to.goto(`http://${host}:${site.port}/`);
  /** Makes one call in the page with localStorage. Returns its text and the stored items. */
  const ask = (of: Page, requestId: string) =>
    of.evaluate(
      async ({ options, requestId }) => {
        const durableFetch = client.createDurableFetch(options);
        const response = await durableFetch(options.target, { body: 'a page', requestId });
        const { wasResumed, url } = response;
        return { text: await response.text(), wasResumed, url, kept: JSON.stringify({ ...localStorage }) };
      },
      { options, requestId },
    );

  it('sends requests to another origin, and keeps no credentials after the answer was read', async () => {
    await open();
    const { text, url, kept } = await ask(page, 'id');
    expect(text).toBe('answer to a page ☂');
    expect(url).toBe(options.target);
    expect(kept).not.toContain('signature');
    expect((await ask(page, 'id')).wasResumed).toBe(false);
    expect(upstream.calls).toHaveLength(2);
  });

  it('calls the upstream once for simultaneous requests of two tabs, and after a reload', async () => {
    const other = await page.context().newPage();
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await upstream.close();
    upstream = await startUpstream(({ res }) => {
      res.writeHead(200, { 'content-type': 'text/plain' }).flushHeaders();
      void held.then(() => res.end('for all'));
    });
    options.target = upstream.url;
    await Promise.all([open(), open('127.0.0.1', other)]);
    // The first tab leaves during the answer, and comes back.
    const lost = ask(page, 'both').catch(() => 'left');
    const second = ask(other, 'both');
    await upstream.call(0);
    await page.reload();
    expect(await lost).toBe('left');
    const again = ask(page, 'both');
    await page.waitForFunction(() => JSON.stringify({ ...localStorage }).includes('signature'));
    release?.();
    expect((await second).text).toBe('for all');
    expect(await again).toMatchObject({ text: 'for all', wasResumed: true });
    expect(upstream.calls).toHaveLength(1);
  });

  it.each([6, 8])(
    'stops an answer immediately while %i others compete for the six connections to the origin',
    async (calls) => {
      await upstream.close();
      upstream = await startUpstream(({ res }) => {
        res.writeHead(200, { 'content-type': 'text/plain' }).write('some ');
      });
      options.target = upstream.url;
      await open();
      const text = await page.evaluate(
        async ({ options, calls }) => {
          const durableFetch = client.createDurableFetch(options);
          const first: { response: Client.DurableResponse; reader: ReadableStreamDefaultReader }[] = [];
          // Any six of the calls get a connection.
          await new Promise<void>((resolve) => {
            for (let at = 0; at < calls; at++) {
              void durableFetch(options.target, { body: `call ${at}` }).then(async (response) => {
                const reader = response.body!.getReader();
                await reader.read();
                if (first.push({ response, reader }) === 6) resolve();
              });
            }
          });
          const { response, reader } = first[0]!;
          const reading = reader.read().then(
            () => 'more',
            (error: unknown) => (error as Error).name,
          );
          await response.abort();
          // The others continue.
          const other = first[1]!.reader.read().then(
            () => 'more',
            (error: unknown) => (error as Error).name,
          );
          return [
            await response.outcome.then(String),
            await reading,
            await Promise.race([other, Promise.resolve('open')]),
          ];
        },
        { options, calls },
      );
      expect(text).toEqual(['aborted', 'AbortError', 'open']);
      await expect.poll(() => upstream.calls.filter(({ res }) => res.destroyed).length).toBe(1);
    },
  );

  it('survives a service worker that cuts every stream', async () => {
    let release: ((value: string) => void) | undefined;
    await upstream.close();
    const write = async (res: ServerResponse) => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      for (let at = 0; at < 6; at++) {
        // The next part is written after the page has received the previous one, so that parts are not merged.
        const next = new Promise<string>((resolve) => (release = resolve));
        res.write(`part ${at} `);
        await next;
      }
      res.end('end');
    };
    upstream = await startUpstream(({ res }) => void write(res));
    options.target = upstream.url;
    await open();
    await page.exposeFunction('received', (text: string) => release?.(text));
    await page.evaluate(async () => {
      const ready = new Promise((resolve) =>
        navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }),
      );
      await navigator.serviceWorker.register('/worker.js');
      await ready;
    });
    const outcome = await page.evaluate(async (options) => {
      let reconnects = 0;
      const response = await client.createDurableFetch({
        ...options,
        maxReconnectAttempts: 0,
        onResumption: ({ status }) => (reconnects += status === 'reconnecting' ? 1 : 0),
      })(options.target, { body: 'x' });
      const reader = response.body!.getReader();
      const decoder = new TextDecoder();
      let text = '';
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += decoder.decode(part.value);
        await (window as unknown as { received(text: string): Promise<void> }).received(text);
      }
      return { text, reconnects };
    }, options);
    expect(outcome.text).toBe('part 0 part 1 part 2 part 3 part 4 part 5 end');
    expect(outcome.reconnects).toBeGreaterThanOrEqual(6);
    expect(upstream.calls).toHaveLength(1);
  });

  it('works in a page that is not a secure context', async () => {
    await open('insecure.test');
    expect(await page.evaluate(() => isSecureContext)).toBe(false);
    expect((await ask(page, 'id')).text).toBe('answer to a page ☂');
  });

  it('works with a warning if storage is forbidden', async () => {
    await page.addInitScript(() => {
      Object.defineProperty(Storage.prototype, 'getItem', {
        value: () => {
          throw new DOMException('denied', 'SecurityError');
        },
      });
    });
    await open();
    const outcome = await page.evaluate(async (options) => {
      const warnings: string[] = [];
      const durableFetch = client.createDurableFetch({
        ...options,
        onWarning: ({ name }) => warnings.push(name),
      });
      const response = await durableFetch(options.target, { body: 'a page', requestId: 'id' });
      return { text: await response.text(), warnings: new Set(warnings).size };
    }, options);
    expect(outcome).toEqual({ text: 'answer to a page ☂', warnings: 1 });

    const sandboxed = await page.context().newPage();
    await sandboxed.setContent(
      `<iframe sandbox="allow-scripts" src="http://127.0.0.1:${site.port}/"></iframe>`,
    );
    const frame = sandboxed.frames()[1]!;
    await frame.waitForFunction(() => typeof client !== 'undefined');
    const text = await frame.evaluate(async (options) => {
      const response = await client.createDurableFetch(options)(options.target, {
        body: 'a frame',
        requestId: 'id',
      });
      return response.text();
    }, options);
    expect(text).toBe('answer to a frame ☂');
  });

  it('works in a worker without document, window and localStorage', async () => {
    await open();
    const text = await page.evaluate(async (options) => {
      const source = `importScripts(${JSON.stringify(`${location.origin}/client.js`)});
        onmessage = async ({ data }) => {
          const response = await client.createDurableFetch(data)(data.target, { body: 'a worker', requestId: 'id' });
          postMessage(await response.text());
        };`;
      const worker = new Worker(URL.createObjectURL(new Blob([source])));
      worker.postMessage(options);
      return new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = reject;
      });
    }, options);
    expect(text).toBe('answer to a worker ☂');
  });

  describe('before the upstream has responded', () => {
    beforeEach(async () => {
      await upstream.close();
      upstream = await startUpstream(() => undefined);
      options.target = `${upstream.url}/v1`;
      await open();
    });
    /** Starts a call in the page and does not wait for it. Resolves 100 ms after the request was sent. */
    const send = (of: Page) =>
      of.evaluate(async (options) => {
        void client
          .createDurableFetch(options)(options.target, { body: 'x', requestId: 'id' })
          .catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 100));
      }, options);
    const stop = (of: Page) =>
      of.evaluate((options) => {
        const stopping = client.createDurableFetch(options).abort('id');
        return Promise.race([stopping, new Promise((resolve) => setTimeout(resolve, 10))]);
      }, options);
    const closesWithinASecond = async () => {
      const asked = performance.now();
      await upstream.calls[0]!.closed;
      expect(performance.now() - asked).toBeLessThan(1_000);
      expect(upstream.calls).toHaveLength(1);
    };

    it('a stop ends the upstream request even if its tab closes immediately', async () => {
      await Promise.all([send(page), upstream.call(0)]);
      await stop(page);
      await page.close();
      await closesWithinASecond();
    });

    it('another tab can stop the answer after the tab that sent the request has closed', async () => {
      await Promise.all([send(page), upstream.call(0)]);
      const other = await page.context().newPage();
      await open('127.0.0.1', other);
      await page.close();
      await stop(other);
      await closesWithinASecond();
    });

    it('a reload resumes the answer', async () => {
      await Promise.all([send(page), upstream.call(0)]);
      await open();
      const asked = page.evaluate(async (options) => {
        const durableFetch = client.createDurableFetch(options);
        const response = await durableFetch(options.target, { body: 'x', requestId: 'id' });
        return [response.status, response.headers.get('x-request-id'), await response.text()];
      }, options);
      const { res } = upstream.calls[0]!;
      res.writeHead(202, { 'x-request-id': 'req_1' }).end('late');
      expect(await asked).toEqual([202, 'req_1', 'late']);
      expect(upstream.calls).toHaveLength(1);
    });
  });
});
