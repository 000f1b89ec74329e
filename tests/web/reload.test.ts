import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer } from 'vite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDurableFetch } from 'durable-proxy/client';
import type { DurableHandler } from 'durable-proxy/web';
import { SOURCE_ALIASES } from '../../scripts/entries.ts';
import { startCommand } from '../package/commands.ts';
import { ANSWER, FIRST_HALF, startModel, type StandInModel } from '../samples/support/model.ts';

const SECRET = 'a-secret-of-the-reloads-that-is-long-enough';
const ROOT = join(import.meta.dirname, '../..');
const CACHE = join(ROOT, 'node_modules/.cache');

let folder: string;
let model: StandInModel;
const cleanups: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  await mkdir(CACHE, { recursive: true });
  // Below node_modules, so that the modules find their packages.
  folder = await mkdtemp(join(CACHE, 'durable-proxy-reload-'));
  model = await startModel();
  model.behavior = 'slow';
  cleanups.push(
    () => rm(folder, { recursive: true, force: true }),
    () => model.close(),
  );
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A client of a proxy that keeps what it stores, as a page does. */
function clientOf(proxyUrl: string, send?: typeof fetch) {
  const durableFetch = createDurableFetch({
    proxyUrl,
    proxyAuthorization: SECRET,
    ...(send && { fetch: send }),
  });
  return () => durableFetch(`${model.url}/text`, { body: '{}', requestId: crypto.randomUUID() });
}

describe('the SSR server of Vite', () => {
  /** A route as SvelteKit and React Router have it: evaluated again after a change. */
  const ROUTE = `
    import { createDurableHandler } from 'durable-proxy/web';
    export const handler = createDurableHandler({
      basePath: '/v1/proxy',
      jwtSecret: process.env.RELOAD_SECRET,
      allowlist: ['http://127.0.0.1:*/**'],
      dataDir: process.env.RELOAD_DATA,
    });
  `;

  it('shares the store between a module and its reload', async () => {
    process.env['RELOAD_SECRET'] = SECRET;
    process.env['RELOAD_DATA'] = join(folder, 'streams');
    const file = join(folder, 'route.ts');
    await writeFile(file, ROUTE);
    const vite = await createServer({
      root: folder,
      configFile: false,
      logLevel: 'silent',
      appType: 'custom',
      server: { middlewareMode: true, ws: false },
      resolve: { alias: SOURCE_ALIASES },
      optimizeDeps: { noDiscovery: true },
    });
    const used = new Set<DurableHandler>();
    cleanups.push(
      () => vite.close(),
      () => Promise.all([...used].map((handler) => handler.close({ drainMs: 0 }))),
    );
    /** What a framework does for each request: loads the module of the route, which is cached until it changes. */
    const load = async () => {
      const { handler } = (await vite.ssrLoadModule(file)) as { handler: DurableHandler };
      used.add(handler);
      return handler;
    };
    const ask = clientOf('http://app.example.com/v1/proxy', async (input, init) =>
      (await load())(new Request(input, init)),
    );

    const [one, other] = [await ask(), await ask()];
    const reader = one.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value!;
    expect(text).toBe(FIRST_HALF);
    const calls = await Promise.all([model.call(0), model.call(1)]);

    await appendFile(file, '\n// changed\n');
    // The watcher ignores node_modules, where the folder is.
    vite.watcher.emit('change', file);
    await expect.poll(async () => (await load()) && used.size).toBe(2);

    // The new handler stops an answer of the old one. Another one continues.
    await other.abort();
    expect(await calls[1].closed).toBe(false);
    model.finish();
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
    expect([text, await one.outcome, model.calls.length]).toEqual([ANSWER, 'complete', 2]);
    // A third answer is created by the new handler after the old one has closed.
    await [...used][0]!.close({ drainMs: 0 });
    model.behavior = 'ok';
    const third = await ask();
    expect([await third.text(), await third.outcome]).toEqual([ANSWER, 'complete']);
  });
});

describe('tsx watch', () => {
  const SERVER = `
    import express from 'express';
    import { durableProxy } from ${JSON.stringify(join(ROOT, 'server/index.ts'))};

    const app = express();
    const proxy = durableProxy({
      jwtSecret: process.env.RELOAD_SECRET!,
      allowlist: ['http://127.0.0.1:*/**'],
      dataDir: process.env.RELOAD_DATA!,
    });
    app.use('/v1/proxy', proxy);
    await proxy.ready;
    const server = app.listen(0, '127.0.0.1', () => {
      console.log('Process %d listens at %d.', process.pid, (server.address() as { port: number }).port);
    });
  `;
  const SHUTDOWN = `
    process.once('SIGTERM', async () => {
      await proxy.close({ drainMs: 0 });
      server.close();
    });
  `;

  it.each([
    ['is ended by SIGTERM', SERVER],
    ['closes the proxy after SIGTERM', SERVER + SHUTDOWN],
  ])('starts a process that takes over the lock of one that %s', async (_, source) => {
    const file = join(folder, 'server.mts');
    await writeFile(file, source);
    const command = startCommand(`exec "${join(ROOT, 'node_modules/.bin/tsx')}" watch "${file}"`, {
      cwd: folder,
      env: { RELOAD_SECRET: SECRET, RELOAD_DATA: join(folder, 'streams') },
    });
    cleanups.push(() => command.stop());
    const [, pid, port] = await command.printed(/Process (\d+) listens at (\d+)\./);
    // The port of the process that runs.
    let origin = `http://127.0.0.1:${port}`;
    const ask = clientOf('http://app.example.com/v1/proxy', (input, init) => {
      const { pathname, search } = new URL(input as string | URL);
      return fetch(origin + pathname + search, init);
    });
    const running = await ask();
    const reader = running.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe(FIRST_HALF);

    await appendFile(file, '\n// changed\n');
    const [, next] = await command.printed(new RegExp(`Process (?!${pid} )\\d+ listens at (\\d+)\\.`));
    origin = `http://127.0.0.1:${next}`;
    // What the old process had stored can be read. The answer was running there, so it is incomplete.
    await expect(reader.read()).rejects.toMatchObject({ outcome: 'interrupted' });
    expect(await running.outcome).toBe('interrupted');
    model.behavior = 'ok';
    const answer = await ask();
    expect([await answer.text(), await answer.outcome]).toEqual([ANSWER, 'complete']);
    expect(command.output()).not.toMatch(/holds|could not be opened/);
  });
});
