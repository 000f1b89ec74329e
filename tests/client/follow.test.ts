import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';
import type { DurableFetchOptions, FollowedStream } from '../../core-client/types.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startRelay, type Relay } from '../support/relay.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';

let proxy: TestProxy;
let upstream: Upstream;
let relay: Relay;
beforeAll(async () => {
  proxy = await startProxy();
  relay = await startRelay(proxy.url, () => undefined);
});
afterAll(async () => {
  await relay.close();
  await proxy.stop({ drainMs: 0 });
});
afterEach(() => upstream.close());

/** Creates the client of one device, and an upstream that begins its answers only. */
const device = (options: Partial<DurableFetchOptions> = {}) =>
  createDurableFetch({
    proxyUrl: `${relay.url}/v1/proxy`,
    proxyAuthorization: SECRET,
    storage: new MemoryStorage(),
    ...options,
  });
const begin = async () => {
  upstream = await startUpstream(({ res }) => {
    res.writeHead(200, { 'content-type': 'text/plain' });
    void write(res, 'begin');
  });
};

/** Follows a name. @returns a function that resolves with the next report. */
function follow(name: string, options?: Partial<DurableFetchOptions>, lastEventId?: string) {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  const followed = device(options).follow(name, { signal: controller.signal, lastEventId });
  const reports = followed[Symbol.asyncIterator]();
  const next = async (): Promise<FollowedStream | undefined> => {
    const { done, value } = (await reports.next()) as IteratorResult<FollowedStream, undefined>;
    return done ? undefined : value;
  };
  return { next, controller };
}

describe('durableFetch.follow', () => {
  it('reports an answer of another device, attaches to it, and stops it', async () => {
    await begin();
    const { next } = follow('one');
    const created = await device()(upstream.url, { body: '?', streamKey: 'one' });
    const report = await next();
    expect(report).toMatchObject({ streamId: created.streamId, outcome: undefined });
    const attached = await report!.open();
    expect(attached).toMatchObject({ status: 200, streamId: created.streamId, wasResumed: true });
    const { value } = await attached!.body!.getReader().read();
    expect(new TextDecoder().decode(value)).toBe('begin');
    await report!.abort();
    expect(await next()).toMatchObject({
      streamId: created.streamId,
      state: 'closed',
      outcome: 'aborted',
      upstreamContentType: 'text/plain',
    });
    expect(await report!.open()).toMatchObject({ status: 200, streamId: created.streamId });
  });

  it('reconnects after each lost connection, and reports everything once', async () => {
    await begin();
    const { next } = follow('two');
    const ids: (string | undefined)[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const { streamId } = await device()(upstream.url, { body: '?', streamKey: 'two' });
      ids.push(streamId);
      expect((await next())?.streamId).toBe(streamId);
      relay.cutAll();
      (await upstream.call(turn)).res.end();
      expect(await next()).toMatchObject({ streamId, state: 'closed', outcome: 'complete' });
      relay.cutAll();
    }
    expect(new Set(ids).size).toBe(4);
  });

  it('[FOLLOW-7] continues after the server has ended the response, as it does after 15 minutes', async () => {
    await begin();
    /** Ends the responses whose 15 minutes have begun. */
    const ends: (() => void)[] = [];
    const { setTimeout: start } = globalThis;
    const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms?: number) => {
      if (ms === 900_000) ends.push(run);
      return start(run, ms);
    }) as typeof setTimeout);
    onTestFinished(() => void spy.mockRestore());
    let connections = 0;
    let reconnect!: () => void;
    const isAllowed = new Promise<void>((resolve) => (reconnect = resolve));
    const { next } = follow('limit', {
      fetch: async (input, init) => {
        const { searchParams } = new URL(input as string);
        if (searchParams.get('live') === 'sse' && (connections += 1) === 2) await isAllowed;
        return fetch(input, init);
      },
    });
    const ask = async () => (await device()(upstream.url, { body: '?', streamKey: 'limit' })).streamId;
    const reports = next();
    const first = await ask();
    expect(await reports).toMatchObject({ streamId: first });
    const afterwards = next();
    ends[0]!();
    await expect.poll(() => connections).toBe(2);
    const missed = await ask();
    reconnect();
    expect(await afterwards).toMatchObject({ streamId: missed });
    const last = await ask();
    expect(await next()).toMatchObject({ streamId: last });
    expect([connections, ends.length]).toEqual([2, 2]);
  });

  it('continues after the eventId of an earlier follow', async () => {
    await begin();
    await device()(upstream.url, { body: '?', streamKey: 'three' });
    const first = await follow('three').next();
    (await upstream.call(0)).res.end();
    const later = follow('three', {}, first!.eventId);
    expect(await later.next()).toMatchObject({ streamId: first!.streamId, state: 'closed' });
  });

  it('returns null from open() if a newer answer has replaced the stream', async () => {
    await begin();
    const { next } = follow('four');
    await device()(upstream.url, { body: '?', streamKey: 'four' });
    const older = await next();
    await device()(upstream.url, { body: '?', streamKey: 'four' });
    await next();
    expect(await older!.open()).toBeNull();
  });

  it('ends without an error when its signal aborts, also while it waits', async () => {
    await begin();
    const { next, controller } = follow('five');
    const waiting = next();
    controller.abort();
    expect(await waiting).toBeUndefined();
    const { next: late, controller: early } = follow('five');
    early.abort();
    expect(await late()).toBeUndefined();
  });

  it('throws if the proxy refuses, or is too old to follow names', async () => {
    await begin();
    await expect(follow('six', { proxyAuthorization: 'wrong' }).next()).rejects.toMatchObject({
      name: 'DurableStreamError',
      status: 401,
    });
    const old = createServer((_, res) => res.writeHead(204).end()).listen(0, '127.0.0.1');
    onTestFinished(() => void old.close());
    await expect.poll(() => old.listening).toBe(true);
    const { port } = old.address() as { port: number };
    await expect(follow('six', { proxyUrl: `http://127.0.0.1:${port}/` }).next()).rejects.toMatchObject({
      name: 'DurableStreamError',
      code: 'METHOD_NOT_ALLOWED',
    });
  });

  it.each([
    ['is silent', true],
    ['has no response', false],
  ])('opens another connection if one %s for longer than a heartbeat', async (_, hasResponse) => {
    await begin();
    let connections = 0;
    const silent = createServer((_, res) => {
      connections += 1;
      if (hasResponse) res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    await expect.poll(() => silent.listening).toBe(true);
    const { port } = silent.address() as { port: number };
    const { next, controller } = follow('seven', {
      proxyUrl: `http://127.0.0.1:${port}/`,
      heartbeatTimeoutMs: 20,
    });
    const waiting = next();
    await expect.poll(() => connections).toBeGreaterThan(1);
    controller.abort();
    expect(await waiting).toBeUndefined();
  });
});
