import { describe, expect, it, vi } from 'vitest';
import type { Fault } from '../tests/client/stand-in.ts';
import { drain, UPSTREAM, useRig } from '../tests/client/support.ts';
import { createClientMemory } from './client-memory.ts';
import { createClient } from './durable-fetch.ts';
import { MemoryStorage } from './storage.ts';

const rig = useRig();
const HTML = { headers: { 'content-type': 'text/html' }, body: '<html>busy</html>' };
const FOREIGN: [name: string, fault: Exclude<Fault, string>][] = [
  ...[401, 403, 404, 410, 500, 502, 503, 504].map(
    (status) => [`HTML with status ${status}`, { status, ...HTML }] as [string, Exclude<Fault, string>],
  ),
  ['an HTML page of a captive portal', { status: 200, ...HTML }],
  ['a JSON error of another format', { status: 404, body: '{"error":"not found"}' }],
  ['a JSON error with an unknown code', { status: 401, body: '{"error":{"code":"NOPE","message":"no"}}' }],
];
const ours = (status: number, code: string, retryAfter?: string): Fault => ({
  status,
  headers: retryAfter ? { 'retry-after': retryAfter } : {},
  body: JSON.stringify({ error: { code, message: `refused: ${code}` } }),
});
const keys = () => [
  ...new Set(
    rig.standIn.seen.filter(({ kind }) => kind === 'create').map((each) => each.headers['idempotency-key']),
  ),
];
/** Replaces the response of the next POST after the proxy has seen the request. */
function losing(replacement: () => Response): typeof fetch {
  let isLost = false;
  return async (input, init) => {
    const response = await fetch(input, init);
    if (isLost || init?.method !== 'POST') return response;
    isLost = true;
    await response.body?.cancel();
    return replacement();
  };
}

describe('a create to which another server responds', () => {
  it.each(FOREIGN)('[CLIENT-7] is repeated under the same key: %s', async (_, { status, headers, body }) => {
    const call = rig.client({ fetch: losing(() => new Response(body, { status, headers: headers ?? {} })) });
    expect(await (await call(UPSTREAM, { body: 'x', requestId: 'id' })).text()).toBe('hello');
    expect([rig.standIn.upstreamCalls, keys().length]).toEqual([1, 1]);
    expect(rig.states.map((state) => state.status)).toContain('reconnecting');
  });

  it('[CLIENT-7] is repeated when a 201 has no readable Location', async () => {
    const call = rig.client({ fetch: losing(() => new Response(null, { status: 201 })) });
    expect(await (await call(UPSTREAM, { body: 'x' })).text()).toBe('hello');
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('is repeated under its own key if two calls for the same request failed at once', async () => {
    rig.standIn.faults.create.push(...Array<Fault>(5_000).fill('before-answer'));
    const call = rig.client({ retryTimeoutMs: 100 });
    const askTwice = () => [1, 2].map(async () => (await call(UPSTREAM, { body: 'x' })).text());
    const failed = await Promise.allSettled(askTwice());
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    rig.standIn.faults.create.length = 0;
    expect(await Promise.all(askTwice())).toEqual(['hello', 'hello']);
    expect([rig.standIn.upstreamCalls, keys().length]).toEqual([2, 2]);
  });

  it.each(['id', undefined])(
    'rejects with the last response when the time is over, and keeps its key (%s)',
    async (requestId) => {
      rig.standIn.faults.create.push(...Array<Fault>(5_000).fill({ status: 503, ...HTML }));
      const call = rig.client({ retryTimeoutMs: 100 });
      const failure: unknown = await call(UPSTREAM, { body: 'x', requestId }).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ name: 'DurableNetworkError', code: 'INVALID_RESPONSE', status: 503 });
      expect((failure as Error).message).toBe(
        `Received status 503 from another server than the proxy: ${rig.standIn.url}`,
      );
      rig.standIn.faults.create.length = 0;
      expect(await (await call(UPSTREAM, { body: 'x', requestId })).text()).toBe('hello');
      expect(keys()).toHaveLength(1);
      await (await call(UPSTREAM, { body: 'x', requestId })).text();
      expect(keys()).toHaveLength(2);
    },
  );

  it.each([
    [413, /express\.json: 100 kB/],
    [414, /414/],
    [431, /431/],
  ])('is not repeated if the request is too large: %i', async (status, message) => {
    rig.standIn.faults.create.push({ status, ...HTML });
    await expect(rig.client()(UPSTREAM, { body: 'x' })).rejects.toThrow(message);
    expect(rig.standIn.count('create')).toBe(1);
  });

  it('[ERR-9] is not repeated if the proxy refuses the headers', async () => {
    const code = 'REQUEST_HEADERS_TOO_LARGE';
    const body = JSON.stringify({ error: { code, message: 'too large' } });
    rig.standIn.faults.create.push({ status: 431, headers: { 'content-type': 'application/json' }, body });
    const response = await rig.client()(UPSTREAM, { body: 'x' });
    expect(response.status).toBe(431);
    expect(await response.text()).toBe(body);
    expect(rig.standIn.count('create')).toBe(1);
  });

  it('is not repeated on a server that ignores keys', async () => {
    rig.standIn.extensions = false;
    const call = rig.client();
    await (await call(UPSTREAM, { body: 'learns' })).text();
    rig.standIn.faults.create.push({ status: 502, ...HTML });
    await expect(call(UPSTREAM, { body: 'x' })).rejects.toMatchObject({
      code: 'INVALID_RESPONSE',
      status: 502,
    });
    expect(rig.standIn.upstreamCalls).toBe(1);
  });
});

describe('a read to which another server responds', () => {
  it.each(FOREIGN)('[CLIENT-8] is a lost connection: %s', async (_, fault) => {
    rig.standIn.faults.create.push('after-control');
    rig.standIn.faults.read.push(fault, fault);
    rig.standIn.upstream = (stream) => void stream.push('one ', 'two').close();
    const response = await rig.client()(UPSTREAM, { body: 'x', requestId: 'id' });
    expect(await drain(response)).toEqual({ text: 'one two', error: undefined });
    expect([rig.standIn.upstreamCalls, rig.standIn.count('create')]).toEqual([1, 1]);
  });

  it.each(FOREIGN)('[CLIENT-8] leads to no second create after a reload: %s', async (_, fault) => {
    const storage = new MemoryStorage();
    await rig.client({ storage })(UPSTREAM, { body: 'x', requestId: 'id' });
    rig.standIn.faults.read.push(fault);
    expect(await (await rig.client({ storage })(UPSTREAM, { body: 'x', requestId: 'id' })).text()).toBe(
      'hello',
    );
    expect(rig.standIn.upstreamCalls).toBe(1);
  });
});

it('a read with 404 NOT_FOUND fails and does not lead to a second create', async () => {
  const storage = new MemoryStorage();
  await rig.client({ storage })(UPSTREAM, { body: 'x', requestId: 'id' });
  rig.standIn.faults.read.push(ours(404, 'NOT_FOUND'));
  const again = rig.client({ storage })(UPSTREAM, { body: 'x', requestId: 'id' });
  await expect(again).rejects.toMatchObject({ name: 'DurableStreamError', code: 'NOT_FOUND' });
  expect(rig.standIn.upstreamCalls).toBe(1);
});

describe('a response of the proxy with Retry-After', () => {
  it.each([
    ['SHUTTING_DOWN', 503],
    ['STORAGE_ERROR', 502],
    ['UPSTREAM_TIMEOUT', 504],
  ])('[CLIENT-9] is retried from the first attempt on: %s', async (code, status) => {
    rig.standIn.faults.create.push(ours(status, code, '0.01'), ours(status, code, '0.01'));
    expect(await (await rig.client()(UPSTREAM, { body: 'x' })).text()).toBe('hello');
    expect([rig.standIn.count('create'), keys().length]).toEqual([3, 1]);
  });

  it('is retried for as long as the upstream is working', async () => {
    rig.standIn.faults.create.push(...Array<Fault>(10).fill(ours(504, 'UPSTREAM_TIMEOUT', '0.04')));
    expect(await (await rig.client({ retryTimeoutMs: 100 })(UPSTREAM, { body: 'x' })).text()).toBe('hello');
    expect([rig.standIn.count('create'), keys().length]).toEqual([11, 1]);
  });

  it.each(['id', undefined])(
    'is returned when the time is over, and the key is kept (%s)',
    async (requestId) => {
      rig.standIn.faults.create.push(...Array<Fault>(500).fill(ours(503, 'SHUTTING_DOWN', '0.02')));
      const call = rig.client({ retryTimeoutMs: 100 });
      const response = await call(UPSTREAM, { body: 'x', requestId });
      expect(response.status).toBe(503);
      expect(await response.text()).toContain('SHUTTING_DOWN');
      rig.standIn.faults.create.length = 0;
      await (await call(UPSTREAM, { body: 'x', requestId })).text();
      expect(keys()).toHaveLength(1);
    },
  );

  it.each([
    ['TOO_MANY_STREAMS', 429, '1'],
    ['UPSTREAM_TIMEOUT', 504, undefined],
    ['UPSTREAM_ERROR', 502, undefined],
    ['INTERNAL_ERROR', 500, undefined],
  ])('is otherwise returned to the caller: %s', async (code, status, after) => {
    rig.standIn.faults.create.push(ours(status, code, after));
    expect((await rig.client()(UPSTREAM, { body: 'x' })).status).toBe(status);
    expect(rig.standIn.count('create')).toBe(1);
  });
});

describe('the retry time of a create', () => {
  it('is a time limit, not a number of attempts', async () => {
    rig.standIn.faults.create.push(...Array<Fault>(60).fill('before-request'));
    expect(await (await rig.client()(UPSTREAM, { body: 'x' })).text()).toBe('hello');
    expect(rig.states.some(({ attempt, status }) => status === 'reconnecting' && attempt === 60)).toBe(true);
  });

  const usePage = (page = new EventTarget()) => {
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    return page;
  };

  it('does not run while the browser is offline, and `online` sends immediately', async () => {
    const page = usePage();
    const navigator = { onLine: false };
    vi.stubGlobal('navigator', navigator);
    vi.spyOn(Math, 'random').mockReturnValue(1);
    let sent = 0;
    const offline: typeof fetch = (input, init) => {
      sent++;
      return navigator.onLine ? fetch(input, init) : Promise.reject(new TypeError('Failed to fetch'));
    };
    const comesBack = ({ attempt }: { attempt: number }) => {
      if (attempt !== 3) return;
      navigator.onLine = true;
      setTimeout(() => page.dispatchEvent(new Event('online')));
    };
    const call = rig.client({
      fetch: offline,
      retryTimeoutMs: 1,
      maxReconnectAttempts: 2,
      onResumption: comesBack,
    });
    expect(await (await call(UPSTREAM, { body: 'x' })).text()).toBe('hello');
    expect(sent).toBe(4);
  });

  it('does not run while the machine sleeps', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const hour = () => vi.setSystemTime(Date.now() + 3_600_000);
    // The machine sleeps during a wait, then during an attempt.
    const sleepy: typeof fetch = async (input, init) => {
      if (rig.states.at(-1)?.attempt === 2) hour();
      return fetch(input, init);
    };
    rig.standIn.faults.create.push('before-request', 'before-request', 'before-request', 'before-request');
    const call = rig.client({
      fetch: sleepy,
      onResumption(state) {
        rig.states.push(state);
        if (state.attempt === 1) hour();
      },
    });
    const response = await call(UPSTREAM, { body: 'x' });
    vi.useRealTimers();
    expect(await response.text()).toBe('hello');
  });
});

describe('two simultaneous calls of one client for the same request', () => {
  const both = async () => {
    const call = rig.client();
    const init = { body: 'x', requestId: 'id' };
    return Promise.all([call(UPSTREAM, init), call(UPSTREAM, init)]);
  };

  it.each([true, false])('share one create (server with extensions: %s)', async (extensions) => {
    rig.standIn.extensions = extensions;
    const responses = await both();
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(['hello', 'hello']);
    expect([rig.standIn.upstreamCalls, rig.standIn.count('create')]).toEqual([1, 1]);
  });

  it('share a lost create on a server that ignores keys', async () => {
    rig.standIn.extensions = false;
    const call = rig.client();
    await (await call(UPSTREAM, { body: 'learns' })).text();
    rig.standIn.faults.create.push('before-answer');
    const init = { body: 'x', requestId: 'id' };
    const results = await Promise.allSettled([call(UPSTREAM, init), call(UPSTREAM, init)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(rig.standIn.upstreamCalls).toBe(2);
  });

  it.each(['before-answer', undefined] as const)(
    'share a create that ended before the second call was read (fault: %s)',
    async (fault) => {
      rig.standIn.extensions = false;
      const call = rig.client();
      await (await call(UPSTREAM, { body: 'learns' })).text();
      rig.standIn.faults.create.push(fault);
      const first = call(UPSTREAM, { body: 'x', requestId: 'id' }).then(
        (response) => response.text(),
        (error: unknown) => (error as Error).name,
      );
      const body = new ReadableStream<Uint8Array>({
        async start(controller) {
          await first;
          controller.enqueue(new TextEncoder().encode('x'));
          controller.close();
        },
      });
      const second = call(UPSTREAM, { body, requestId: 'id' }).then(
        (response) => response.text(),
        (error: unknown) => (error as Error).name,
      );
      const result = fault ? 'DurableNetworkError' : 'hello';
      expect(await Promise.all([first, second])).toEqual([result, result]);
      expect(rig.standIn.upstreamCalls).toBe(2);
    },
  );

  it('share an error, and each can read its body', async () => {
    rig.standIn.upstream = () => ({ status: 502, headers: { 'upstream-status': '429' }, body: 'slow down' });
    const responses = await both();
    expect(responses.map(({ status }) => status)).toEqual([429, 429]);
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual([
      'slow down',
      'slow down',
    ]);
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('are independent: the second continues if the first is aborted', async () => {
    const call = rig.client();
    const controller = new AbortController();
    let release = (): void => undefined;
    rig.standIn.upstream = async (stream) => {
      await new Promise<void>((resolve) => (release = resolve));
      stream.push('late').close();
    };
    const first = call(UPSTREAM, { body: 'x', requestId: 'id', signal: controller.signal });
    await rig.standIn.until(() => rig.standIn.upstreamCalls === 1);
    const second = call(UPSTREAM, { body: 'x', requestId: 'id' });
    // Digests finish in the order of their start, so the second call has its fingerprint and waits for the first.
    await crypto.subtle.digest('SHA-256', new Uint8Array(1));
    await new Promise(setImmediate);
    controller.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    release();
    expect(await (await second).text()).toBe('late');
    expect([rig.standIn.upstreamCalls, keys().length]).toEqual([1, 1]);
  });
});

it('clients with the same memory share what they learned about a server', async () => {
  rig.standIn.extensions = false;
  const memory = createClientMemory();
  const client = () => createClient({ proxyUrl: rig.standIn.url }, memory);
  await (await client()(UPSTREAM, { body: 'learns' })).text();
  rig.standIn.faults.create.push('before-answer');
  await expect(client()(UPSTREAM, { body: 'lost' })).rejects.toMatchObject({ name: 'DurableNetworkError' });
  expect(rig.standIn.upstreamCalls).toBe(2);
});
