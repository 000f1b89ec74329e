import { afterEach, describe, expect, it } from 'vitest';
import {
  IDEMPOTENCY_KEY,
  PREFER,
  STREAM_KEY,
  UNREAD_TIMEOUT,
  UPSTREAM_OUTCOME,
} from '../../protocol/headers.ts';
import { createDurableFetch } from '../../core-client/index.ts';
import type { ProxyEvent, ProxyServerOptions } from '../../server/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startResumableProvider } from '../support/resumable-provider.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(
  options: Partial<ProxyServerOptions> = {},
  events: ProxyEvent[] = [],
): Promise<TestProxy> {
  const proxy = await startProxy({ ...options, onEvent: (event) => void events.push(event) });
  cleanups.push(() => proxy.stop({ drainMs: 0 }));
  return proxy;
}

/** An upstream that begins its answer and does not end it. */
async function startModel(handler?: (call: UpstreamCall) => void): Promise<Upstream> {
  const model = await startUpstream(handler ?? (({ res }) => void write(res, 'begin')));
  cleanups.push(() => model.close());
  return model;
}

/** Reads the end of a stream once its upstream was canceled. */
async function endOf(url: string) {
  const { bytes, controls } = await readSse(await fetch(withQuery(url, { live: 'sse' })));
  const { upstreamOutcome, upstreamError } = controls.at(-1)!;
  return { text: bytes.toString(), outcome: upstreamOutcome, code: upstreamError?.code };
}

const authorization = { authorization: `Bearer ${SECRET}` };
const outcomeOf = async (url: string): Promise<string | null> =>
  (await fetch(url.split('?')[0]!, { method: 'HEAD', headers: authorization })).headers.get(UPSTREAM_OUTCOME);

describe('an answer that no client reads', () => {
  it('[UNREAD-1][UNREAD-3] is canceled after unreadTimeoutMs, and not before', async () => {
    const events: ProxyEvent[] = [];
    const proxy = await start({ unreadTimeoutMs: 400 }, events);
    const model = await startModel();
    const begunAt = performance.now();
    const url = locationOf(proxy, await post(proxy, `${model.url}/x`));
    await (
      await model.call(0)
    ).closed;
    expect(performance.now() - begunAt).toBeGreaterThanOrEqual(400);
    expect(await endOf(url)).toEqual({ text: 'begin', outcome: 'aborted', code: 'UNREAD' });
    await expect
      .poll(() => events.find(({ type }) => type === 'closed'))
      .toMatchObject({ outcome: 'aborted' });
    expect(events.filter(({ type }) => type === 'aborted')).toMatchObject([{ by: 'unread' }]);
  });

  it('[UNREAD-1] is canceled before its upstream responds', async () => {
    const proxy = await start({ unreadTimeoutMs: 400 });
    const model = await startModel(() => undefined);
    const created = await post(proxy, `${model.url}/x`, { headers: { [PREFER]: 'respond-async' } });
    await (
      await model.call(0)
    ).closed;
    const end = await endOf(locationOf(proxy, created));
    expect(end).toEqual({ text: '', outcome: 'aborted', code: 'UNREAD' });
  });

  it('[UNREAD-1][RECOVER-6] is stopped by the provider’s own request', async () => {
    const provider = await startResumableProvider({ kind: 'openai', events: 1_000, gapMs: 50 });
    cleanups.push(() => provider.close());
    const proxy = await start({ unreadTimeoutMs: 400 });
    const body = JSON.stringify({ background: true, stream: true });
    const created = await post(proxy, provider.urlOf(3), { body });
    await expect.poll(() => provider.canceled, { timeout: 10_000 }).toEqual([3]);
    expect(await endOf(locationOf(proxy, created))).toMatchObject({ outcome: 'aborted', code: 'UNREAD' });
  });

  it('[UNREAD-2] is canceled although it is asked for by HEAD and find', async () => {
    const proxy = await start({ unreadTimeoutMs: 400 });
    const model = await startModel();
    const created = await post(proxy, `${model.url}/x`, { headers: { [STREAM_KEY]: 'chat' } });
    const url = locationOf(proxy, created);
    const find = () => fetch(withQuery(proxy.base, { key: 'chat' }), { headers: authorization });
    await expect
      .poll(async () => [await outcomeOf(url), (await find()).headers.get(UPSTREAM_OUTCOME)], {
        timeout: 10_000,
      })
      .toEqual(['aborted', 'aborted']);
  });

  it('[UNREAD-2] continues while somebody reads it, in any mode', async () => {
    const proxy = await start({ unreadTimeoutMs: 1_000 });
    const model = await startModel(({ res }) => {
      void (async () => {
        for (let i = 0; i < 20; i += 1) {
          await write(res, 'chunk');
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        res.end();
      })();
    });
    const headers = { [PREFER]: 'return=representation' };
    const [created, polled] = await Promise.all([
      post(proxy, `${model.url}/x`, { headers }),
      post(proxy, `${model.url}/x`),
    ]);
    const poll = async (url: string) => {
      let text = '';
      for (let offset = '-1'; ;) {
        const part = await fetch(withQuery(url, { offset, live: 'long-poll' }));
        text += await part.text();
        offset = part.headers.get('stream-next-offset')!;
        if (part.headers.has('stream-closed')) return { text, outcome: part.headers.get(UPSTREAM_OUTCOME) };
      }
    };
    const [read, long] = await Promise.all([readSse(created), poll(locationOf(proxy, polled))]);
    expect(read.bytes.toString()).toBe('chunk'.repeat(20));
    expect(read.controls.at(-1)?.upstreamOutcome).toBe('complete');
    expect(long).toEqual({ text: 'chunk'.repeat(20), outcome: 'complete' });
  });

  it('continues without end by default', async () => {
    const proxy = await start();
    const model = await startModel();
    const url = locationOf(proxy, await post(proxy, `${model.url}/x`));
    const other = await post(proxy, `${model.url}/x`, { headers: { [UNREAD_TIMEOUT]: '1' } });
    await (
      await model.call(1)
    ).closed;
    expect(await endOf(locationOf(proxy, other))).toMatchObject({ code: 'UNREAD' });
    expect(await outcomeOf(url)).toBeNull();
  });
});

describe('Unread-Timeout', () => {
  it('[UNREAD-4] asks for less than the option', async () => {
    const proxy = await start({ unreadTimeoutMs: 3_600_000 });
    const model = await startModel();
    const created = await post(proxy, `${model.url}/x`, { headers: { [UNREAD_TIMEOUT]: '1' } });
    const call = await model.call(0);
    expect(call.req.headers[UNREAD_TIMEOUT.toLowerCase()]).toBeUndefined();
    await call.closed;
    expect(await endOf(locationOf(proxy, created))).toMatchObject({ code: 'UNREAD' });
  });

  it('[UNREAD-4] does not ask for more than the option', async () => {
    const proxy = await start({ unreadTimeoutMs: 400 });
    const model = await startModel();
    await post(proxy, `${model.url}/x`, { headers: { [UNREAD_TIMEOUT]: '86400' } });
    await (
      await model.call(0)
    ).closed;
  });

  it('[UNREAD-5] keeps an answer without readers that asks for “infinite”', async () => {
    const proxy = await start({ unreadTimeoutMs: 400 });
    const model = await startModel();
    const kept = await post(proxy, `${model.url}/x`, { headers: { [UNREAD_TIMEOUT]: 'infinite' } });
    const { res } = await model.call(0);
    // Began later, and is canceled.
    await post(proxy, `${model.url}/x`);
    await (
      await model.call(1)
    ).closed;
    res.end(' and end');
    expect(await endOf(locationOf(proxy, kept))).toMatchObject({
      text: 'begin and end',
      outcome: 'complete',
    });
  });

  it('[UNREAD-6] of the first create under an Idempotency-Key counts', async () => {
    const proxy = await start();
    const model = await startModel();
    const create = (timeout: string) =>
      post(proxy, `${model.url}/x`, { headers: { [IDEMPOTENCY_KEY]: 'once', [UNREAD_TIMEOUT]: timeout } });
    await create('1');
    expect((await create('infinite')).status).toBe(200);
    await (
      await model.call(0)
    ).closed;
  });

  it.each(['0', '-1', '1.5', 'never', ''])(
    '[UNREAD-7] with the value %j is refused, and the upstream is not called',
    async (value) => {
      const proxy = await start();
      const model = await startModel();
      const refused = await post(proxy, `${model.url}/x`, { headers: { [UNREAD_TIMEOUT]: value } });
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({
        error: {
          code: 'INVALID_REQUEST',
          message: expect.stringContaining('Example: Unread-Timeout: 300') as string,
        },
      });
      expect(model.calls).toHaveLength(0);
    },
  );
});

it('the client asks for a timeout, and names the reason when it comes back too late', async () => {
  const proxy = await start();
  const model = await startModel();
  const durableFetch = createDurableFetch({ proxyUrl: proxy.base, proxyAuthorization: SECRET });
  const init = { requestId: 'late', unreadTimeoutMs: 1_000, body: '{}' };
  const response = await durableFetch(`${model.url}/x`, init);
  await response.body!.cancel();
  await (
    await model.call(0)
  ).closed;
  const resumed = await durableFetch.resume('late');
  await expect(resumed!.text()).rejects.toMatchObject({ outcome: 'aborted', code: 'UNREAD' });
  expect(await resumed!.outcome).toBe('aborted');
});
