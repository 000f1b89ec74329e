import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import {
  IDEMPOTENCY_KEY,
  IDEMPOTENCY_REPLAYED,
  PREFER,
  STREAM_KEY,
  STREAM_NEXT_OFFSET,
  UPSTREAM_OUTCOME,
  UPSTREAM_STATE,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import { createServiceToken, type ProxyServerOptions, type StreamStore } from '../../server/index.ts';
import { redisStore } from '../../server/store/redis/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startProxyProcess, type ProxyProcess, type ProxyProcessOptions } from '../support/process.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

export interface Backend {
  readonly options: ProxyProcessOptions;
  stop(): Promise<void>;
}

/** The guarantees for several proxies on one store. Each is a process of its own here. */
export function describeSeveral(startBackend: () => Promise<Backend>): void {
  let backend: Backend;
  let proxies: ProxyProcess[];
  let upstream: Upstream | undefined;

  beforeAll(async () => {
    backend = await startBackend();
    proxies = await Promise.all(Array.from({ length: 3 }, () => startProxyProcess(backend.options)));
  }, 60_000);
  afterEach(async () => {
    await upstream?.close();
    upstream = undefined;
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.kill('SIGKILL')));
    await backend.stop();
  });

  const at = (index: number): ProxyProcess => proxies[index]!;
  const serve = async (handler: (call: UpstreamCall) => void): Promise<string> => {
    upstream = await startUpstream(handler);
    return `${upstream.url}/answer`;
  };
  /** The same signed URL, at another process. */
  const via = (proxy: Pick<ProxyProcess, 'url'>, url: string): string =>
    url.replace(/^http:\/\/[^/]+/, proxy.url);
  const idOf = (response: Response): string =>
    response.headers.get('location')!.split('?')[0]!.split('/').at(-1)!;
  const abortByKey = (proxy: ProxyProcess, headers: Record<string, string>): Promise<Response> =>
    fetch(withQuery(proxy.base, { action: 'abort' }), {
      method: 'PATCH',
      headers: { authorization: `Bearer ${SECRET}`, ...headers },
    });
  const replace = async (index: number): Promise<void> => {
    proxies[index] = await startProxyProcess(backend.options);
  };

  /** Two more proxies, in this process, with options of their own. */
  const startPair = async (options: Partial<ProxyServerOptions>) => {
    const { redis, durableStreamsUrl } = backend.options;
    const stores = redis === undefined ? [] : [redisStore({ url: redis }), redisStore({ url: redis })];
    const start = (store?: StreamStore): Promise<TestProxy> =>
      startProxy({
        ...options,
        ...(store && { store }),
        ...(durableStreamsUrl !== undefined && { durableStreamsUrl }),
      });
    const pair = await Promise.all([start(stores[0]), start(stores[1])]);
    const stop = async () => {
      await Promise.all(pair.map((proxy) => proxy.stop({ drainMs: 0 })));
      await Promise.all(stores.map((store) => store.dispose()));
    };
    return { pair, stop };
  };

  it('created at one, read live at another, byte for byte', async () => {
    const url = await serve(({ res }) => void write(res, 'from A '));
    const location = locationOf(at(0), await post(at(0), url));
    const live = await fetch(via(at(1), withQuery(location, { live: 'sse' })));
    const { res } = await upstream!.call(0);
    await write(res, 'to B, ');
    res.end('東京');
    const { bytes, controls } = await readSse(live);
    expect(bytes.toString()).toBe('from A to B, 東京');
    expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
  });

  it('[LIFE-6] an abort at a third process ends the stream within a second, also for its reader, while the upstream sends nothing', async () => {
    const url = await serve(({ res }) => void write(res, 'and then silence'));
    const location = locationOf(at(0), await post(at(0), url));
    const live = await fetch(via(at(1), withQuery(location, { live: 'sse' })));
    const { closed } = await upstream!.call(0);
    const asked = performance.now();
    const stopped = await fetch(via(at(2), withQuery(location, { action: 'abort' })), { method: 'PATCH' });
    expect(stopped.status).toBe(204);
    await closed;
    expect(performance.now() - asked).toBeLessThan(1_000);
    const { bytes, controls } = await readSse(live);
    expect(bytes.toString()).toBe('and then silence');
    expect(controls.at(-1)?.upstreamOutcome).toBe('aborted');
  });

  it('[LIFE-6][IDEM-2] 50 creates under one key at all three at once: one upstream call, one stream', async () => {
    const url = await serve(({ res }) => res.end('once'));
    const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => post(at(index % 3), url, { body: 'same', headers })),
    );
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([201]);
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(upstream!.calls).toHaveLength(1);
  });

  it.each([IDEMPOTENCY_KEY, STREAM_KEY])(
    '[LIFE-6][ABORT-9] aborts a create by %s at another process within a second, while the upstream is silent',
    async (name) => {
      const url = await serve(() => undefined);
      const headers = { [name]: crypto.randomUUID() };
      const creating = post(at(0), url, { headers });
      const { closed } = await upstream!.call(0);
      const asked = performance.now();
      expect((await abortByKey(at(1), headers)).status).toBe(204);
      await closed;
      expect(performance.now() - asked).toBeLessThan(1_000);
      const created = await creating;
      expect([created.status, await codeOf(created)]).toEqual([409, 'REQUEST_ABORTED']);
    },
  );

  it('[LIFE-6][ABORT-11] an aborted key refuses creates at all of them, before and after its create arrived', async () => {
    const url = await serve(({ res }) => res.end('paid'));
    const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
    expect((await abortByKey(at(0), headers)).status).toBe(204);
    for (const index of [1, 2])
      expect(await codeOf(await post(at(index), url, { headers }))).toBe('REQUEST_ABORTED');
    expect(upstream!.calls).toHaveLength(0);
  });

  it('[LIFE-6][ABORT-9] aborts a running stream by its key at another process', async () => {
    const url = await serve(({ res }) => void write(res, 'half'));
    const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
    const location = locationOf(at(0), await post(at(0), url, { headers }));
    const live = await fetch(via(at(2), withQuery(location, { live: 'sse' })));
    expect((await abortByKey(at(1), headers)).status).toBe(204);
    await (
      await upstream!.call(0)
    ).closed;
    expect((await readSse(live)).controls.at(-1)?.upstreamOutcome).toBe('aborted');
  });

  it('[LIFE-6][IDEM-11] a retry of a 504 at another proxy attaches to the same upstream request', async () => {
    const { pair, stop } = await startPair({ upstreamHeadersTimeoutMs: 1_500 });
    try {
      const url = await serve(() => undefined);
      const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
      expect((await post(pair[0], url, { headers })).status).toBe(504);
      // A retry that waits without a result keeps the upstream request running too.
      expect((await post(pair[1], url, { headers })).status).toBe(504);
      const retry = post(pair[1], url, { headers });
      (await upstream!.call(0)).res.end('in the end');
      const found = await retry;
      expect([found.status, found.headers.get(IDEMPOTENCY_REPLAYED)]).toEqual([200, 'true']);
      const live = await fetch(withQuery(locationOf(pair[1], found), { live: 'sse' }));
      expect((await readSse(live)).bytes.toString()).toBe('in the end');
      expect(upstream!.calls).toHaveLength(1);
    } finally {
      await stop();
    }
  });

  it('[LIFE-7][IDEM-2] killed while its upstream is silent: of 20 retries elsewhere one calls the upstream', async () => {
    const url = await serve(({ res }) => {
      if (upstream!.calls.length > 1) res.end('second call');
    });
    const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
    const lost = post(at(0), url, { headers }).catch(() => 'lost');
    await upstream!.call(0);
    await at(0).kill('SIGKILL');
    expect(await lost).toBe('lost');
    const retries = await Promise.all(
      Array.from({ length: 20 }, (_, index) => post(at(1 + (index % 2)), url, { headers })),
    );
    expect(new Set(retries.map(idOf)).size).toBe(1);
    expect(upstream!.calls).toHaveLength(2);
    await replace(0);
  });

  it('a failed create frees its key at all of them', async () => {
    let calls = 0;
    const url = await serve(({ res }) => res.writeHead((calls += 1) === 1 ? 500 : 200).end());
    const headers = { [IDEMPOTENCY_KEY]: crypto.randomUUID() };
    expect((await post(at(0), url, { headers })).status).toBe(502);
    expect((await post(at(1), url, { headers })).status).toBe(201);
  });

  it('[LIFE-6] found at another by its Stream-Key, also before the upstream answered', async () => {
    const url = await serve(() => undefined);
    const key = crypto.randomUUID();
    const created = post(at(0), url, { headers: { [STREAM_KEY]: key } });
    const { res } = await upstream!.call(0);
    const found = fetch(withQuery(at(1).base, { key }), { headers: { authorization: `Bearer ${SECRET}` } });
    res.end('there');
    expect(idOf(await found)).toBe(idOf(await created));
  });

  it('[LIFE-6] readers move between processes at exact offsets', async () => {
    const text = 'abcdefghij'.repeat(50);
    const url = await serve(({ res }) => {
      void (async () => {
        for (let i = 0; i < text.length; i += 10) await write(res, text.slice(i, i + 10));
        res.end();
      })();
    });
    const location = locationOf(at(0), await post(at(0), url));
    let read = '';
    let offset = '-1';
    for (let hop = 0; ; hop += 1) {
      const part = await fetch(via(at(hop % 3), withQuery(location, { offset, live: 'long-poll' })));
      read += await part.text();
      offset = part.headers.get(STREAM_NEXT_OFFSET)!;
      if (part.headers.get('stream-closed') === 'true') break;
    }
    expect(read).toBe(text);
  });

  it('[ASYNC-4][ASYNC-5] created before the upstream responds: found and read at others, head first', async () => {
    const url = await serve(() => undefined);
    const key = crypto.randomUUID();
    const headers = { [PREFER]: 'respond-async', [STREAM_KEY]: key };
    const location = locationOf(at(0), await post(at(0), url, { headers }));
    const live = await fetch(via(at(1), withQuery(location, { live: 'sse' })));
    expect(live.headers.get(UPSTREAM_STATE)).toBe('pending');
    const found = await fetch(withQuery(at(2).base, { key }), {
      headers: { authorization: `Bearer ${SECRET}` },
    });
    expect([idOf(found), found.headers.get(UPSTREAM_STATE)]).toEqual([
      new URL(location).pathname.split('/').at(-1),
      'pending',
    ]);
    const { res } = await upstream!.call(0);
    res.writeHead(202, { 'content-type': 'text/plain' });
    res.flushHeaders();
    const heads: unknown[] = [];
    const { bytes } = await readSse(live, ({ controls }) => {
      const head = controls.find(({ upstreamHead }) => upstreamHead)?.upstreamHead;
      if (head && heads.push(head) === 1) res.end('body');
      return false;
    });
    expect(heads[0]).toMatchObject({ status: 202, contentType: 'text/plain' });
    expect(bytes.toString()).toBe('body');
    const stored = await fetch(via(at(2), location));
    expect([stored.headers.get(UPSTREAM_STATUS), await stored.text()]).toEqual(['202', 'body']);
  });

  it('[ASYNC-9] aborted at another process before the upstream responds: canceled within a second', async () => {
    const url = await serve(() => undefined);
    const location = locationOf(at(0), await post(at(0), url, { headers: { [PREFER]: 'respond-async' } }));
    const live = await fetch(via(at(1), withQuery(location, { live: 'sse' })));
    const { closed } = await upstream!.call(0);
    const asked = performance.now();
    const stopped = await fetch(via(at(2), withQuery(location, { action: 'abort' })), { method: 'PATCH' });
    expect(stopped.status).toBe(204);
    await closed;
    expect(performance.now() - asked).toBeLessThan(1_000);
    expect((await readSse(live)).controls.at(-1)?.upstreamOutcome).toBe('aborted');
  });

  it('[ASYNC-11] a refused create frees its key at all of them, and is read at all of them', async () => {
    let calls = 0;
    const url = await serve(({ res }) => res.writeHead((calls += 1) === 1 ? 429 : 200).end(`${calls}`));
    const headers = { [PREFER]: 'respond-async', [IDEMPOTENCY_KEY]: crypto.randomUUID() };
    const location = locationOf(at(0), await post(at(0), url, { headers }));
    const refused = await readSse(await fetch(via(at(1), withQuery(location, { live: 'sse' }))));
    expect(refused.bytes.toString()).toBe('1');
    expect(refused.controls.at(-1)?.upstreamOutcome).toBe('refused');
    const again = async () =>
      (
        await readSse(
          await fetch(withQuery(locationOf(at(2), await post(at(2), url, { headers })), { live: 'sse' })),
        )
      ).bytes.toString();
    await expect.poll(again).toBe('2');
    expect(upstream!.calls).toHaveLength(2);
  });

  it('[ASYNC-12] killed before the upstream responds: readers elsewhere get “interrupted” within 10 s', async () => {
    const url = await serve(() => undefined);
    const location = locationOf(at(0), await post(at(0), url, { headers: { [PREFER]: 'respond-async' } }));
    const live = await fetch(via(at(1), withQuery(location, { live: 'sse' })));
    await upstream!.call(0);
    await at(0).kill('SIGKILL');
    const killed = performance.now();
    expect((await readSse(live)).controls.at(-1)?.upstreamOutcome).toBe('interrupted');
    expect(performance.now() - killed).toBeLessThan(10_000);
    await replace(0);
  });

  it('[LIFE-7] killed during a stream: readers elsewhere get all stored bytes and “interrupted” within 10 s', async () => {
    const url = await serve(({ res }) => void write(res, 'last words'));
    const location = locationOf(at(0), await post(at(0), url));
    const elsewhere = via(at(1), withQuery(location, { live: 'sse' }));
    const seen = await readSse(await fetch(elsewhere), ({ bytes }) => bytes.length === 10);
    expect(seen.bytes.toString()).toBe('last words');
    const live = await fetch(elsewhere);
    const killed = performance.now();
    await at(0).kill('SIGKILL');
    const { bytes, controls } = await readSse(live);
    expect(performance.now() - killed).toBeLessThan(10_000);
    expect(bytes.toString()).toBe('last words');
    expect(controls.at(-1)).toMatchObject({ streamClosed: true, upstreamOutcome: 'interrupted' });
    expect((await fetch(via(at(2), location))).headers.get(UPSTREAM_OUTCOME)).toBe('interrupted');
    await replace(0);
  });

  it('drains its streams on shutdown, and readers of other processes get them completely', async () => {
    const url = await serve(({ res }) => void write(res, 'nearly '));
    const location = locationOf(at(0), await post(at(0), url));
    const live = await fetch(via(at(1), withQuery(location, { live: 'sse' })));
    const exited = at(0).kill('SIGTERM');
    (await upstream!.call(0)).res.end('done');
    const { bytes, controls } = await readSse(live);
    expect(bytes.toString()).toBe('nearly done');
    expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
    expect(await exited).toBe(0);
    await replace(0);
  });

  it('paused past its lease and woken: what was closed meanwhile it cannot write to', async () => {
    const url = await serve(({ res }) => void write(res, 'before the pause'));
    const location = locationOf(at(0), await post(at(0), url));
    const live = await fetch(via(at(1), withQuery(location, { live: 'sse' })));
    process.kill(at(0).pid, 'SIGSTOP');
    const { bytes, controls } = await readSse(live);
    expect(controls.at(-1)?.upstreamOutcome).toBe('interrupted');
    const { res, closed } = await upstream!.call(0);
    res.write(' and after it');
    process.kill(at(0).pid, 'SIGCONT');
    // Its next append fails because the stream is closed, and it cancels the upstream request.
    await closed;
    const after = await fetch(via(at(2), location));
    expect(await after.text()).toBe(bytes.toString());
    expect(after.headers.get(UPSTREAM_OUTCOME)).toBe('interrupted');
    // The process has registered again, and owns the streams that it creates from now on.
    const again = await post(at(0), url);
    await fetch(via(at(0), withQuery(locationOf(at(0), again), { action: 'abort' })), { method: 'PATCH' });
  });

  it('[LIFE-6][LIMIT-10][LIMIT-11][LIMIT-12] count together what a subject stores', async () => {
    const limit = 1_000_000;
    const { pair, stop } = await startPair({ maxStoredBytesPerSubject: limit });
    const [one, two] = pair;
    try {
      const token = await createServiceToken({
        jwtSecret: SECRET,
        subject: crypto.randomUUID(),
        expiresInSeconds: 600,
      });
      const headers = { authorization: `Bearer ${token}` };
      const url = await serve(({ res, body }) => res.end(body));
      const create = (proxy: TestProxy, body = '') => post(proxy, url, { headers, body });
      /** Creates empty streams until one gets this status. They count 1,024 bytes each, far less than the limit. */
      const until = async (proxy: TestProxy, status: number): Promise<Response> => {
        for (;;) {
          const response = await create(proxy);
          if (response.status === status) return response;
          await delay(100);
        }
      };

      const size = limit - 1_500;
      const location = locationOf(one, await create(one, 'x'.repeat(size)));
      expect((await readSse(await fetch(withQuery(location, { live: 'sse' })))).bytes).toHaveLength(size);
      expect(await codeOf(await until(two, 507))).toBe('STORAGE_QUOTA_EXCEEDED');
      const calls = upstream!.calls.length;
      expect((await create(two)).status).toBe(507);
      expect(upstream!.calls).toHaveLength(calls);

      const deleted = await fetch(via(two, location.split('?')[0]!), { method: 'DELETE', headers });
      expect(deleted.status).toBe(204);
      await until(one, 201);

      // Both run at the same time, each below the limit.
      await upstream!.close();
      const endless = await serve(({ res }) => void write(res, 'x'.repeat(limit / 2)));
      const running = await Promise.all(
        pair.map(async (proxy) => locationOf(proxy, await post(proxy, endless, { headers }))),
      );
      const ends = running.map(async (each) => readSse(await fetch(withQuery(each, { live: 'sse' }))));
      for (const { res, closed } of upstream!.calls) {
        const timer = setInterval(() => res.write('x'.repeat(100)), 50);
        void closed.then(() => clearInterval(timer));
      }
      for (const { controls, bytes } of await Promise.all(ends)) {
        expect(controls.at(-1)).toMatchObject({
          upstreamOutcome: 'too-large',
          upstreamError: { code: 'STORAGE_QUOTA_EXCEEDED' },
        });
        expect(bytes.length).toBeLessThan(limit);
      }
    } finally {
      await stop();
    }
  });
}
