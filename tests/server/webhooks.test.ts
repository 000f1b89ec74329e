import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import type { ProxyEvent } from '../../server/index.ts';
import { startProxyProcess } from '../support/process.ts';
import { startProxy, temporaryFolder } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Closed {
  readonly type: string;
  readonly timestamp: string;
  readonly data: {
    readonly streamId: string;
    readonly key: string | null;
    readonly outcome: string;
    readonly error: { code: string } | null;
    readonly bytes: number;
    readonly durationMs: number;
    readonly readUrl: string | null;
  };
}

/** A receiver that responds with these statuses, then with 204. */
async function startReceiver(...statuses: number[]) {
  const receiver = await startUpstream(({ res }) => {
    const status = statuses.shift() ?? 204;
    res.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end('ignored');
  });
  cleanups.push(() => receiver.close());
  return receiver;
}

/** Returns what a receiver got, verified as its owner would. */
function verified({ req, body }: UpstreamCall): Closed {
  return new Webhook(secret).verify(body, req.headers as Record<string, string>) as Closed;
}

async function startModel(text = 'hello'): Promise<Upstream> {
  const model = await startUpstream(({ res }) => void write(res, text).then(() => res.end()));
  cleanups.push(() => model.close());
  return model;
}

async function start(receiver: Upstream, events: ProxyEvent[] = []) {
  const proxy = await startProxy({
    webhook: { url: `${receiver.url}/hooks`, secret, headers: { 'x-team': 'chat' } },
    onEvent: (event) => void events.push(event),
  });
  cleanups.push(() => proxy.stop({ drainMs: 0 }));
  return proxy;
}

describe('a webhook', () => {
  it('reports a closing once it is stored, signed, with a URL that only reads [WEBHOOK-1] [WEBHOOK-2]', async () => {
    const receiver = await startReceiver();
    const model = await startModel('hello');
    const proxy = await start(receiver);
    const created = await post(proxy, `${model.url}/x`, { headers: { 'stream-key': 'chat-1' } });
    const call = await receiver.call(0);
    const { type, timestamp, data } = verified(call);
    expect([call.req.method, call.req.url, call.req.headers['x-team']]).toEqual(['POST', '/hooks', 'chat']);
    expect(call.req.headers['webhook-id']).toBe(data.streamId);
    expect(type).toBe('stream.closed');
    expect(Math.abs(Date.now() - Date.parse(timestamp))).toBeLessThan(60_000);
    expect(locationOf(proxy, created)).toContain(data.streamId);
    expect(data).toMatchObject({ key: 'chat-1', subject: null, outcome: 'complete', error: null, bytes: 5 });
    const readUrl = new URL(data.readUrl!, proxy.url).href;
    expect(await (await fetch(withQuery(readUrl, { offset: '-1' }))).text()).toBe('hello');
    expect((await fetch(withQuery(readUrl, { action: 'abort' }), { method: 'PATCH' })).status).toBe(401);
  });

  it('reports an aborted stream, also after it was deleted', async () => {
    const receiver = await startReceiver();
    const model = await startUpstream(({ res }) => void write(res, 'begin'));
    cleanups.push(() => model.close());
    const proxy = await start(receiver);
    const url = locationOf(proxy, await post(proxy, `${model.url}/x`));
    const live = await fetch(withQuery(url, { offset: '-1', live: 'sse' }));
    await readSse(live, ({ bytes }) => bytes.length === 5);
    const authorization = { authorization: 'Bearer a-secret-of-the-tests-that-is-long-enough' };
    expect((await fetch(url.split('?')[0]!, { method: 'DELETE', headers: authorization })).status).toBe(204);
    const { data } = verified(await receiver.call(0));
    expect(data).toMatchObject({ outcome: 'aborted', error: { code: 'ABORTED' }, bytes: 5, readUrl: null });
  });

  it(
    'is sent again with the same id after an error or a redirect [WEBHOOK-3] [WEBHOOK-4]',
    { timeout: 60_000 },
    async () => {
      const receiver = await startReceiver(302);
      const model = await startModel();
      const events: ProxyEvent[] = [];
      const proxy = await start(receiver, events);
      await post(proxy, `${model.url}/x`);
      const [first, second] = [await receiver.call(0), await receiver.call(1)];
      expect([first.req.url, second.req.url]).toEqual(['/hooks', '/hooks']);
      expect(first.req.headers['webhook-id']).toBe(second.req.headers['webhook-id']);
      expect(verified(second).data.streamId).toBe(verified(first).data.streamId);
      expect(second.req.headers['webhook-timestamp']).not.toBe(first.req.headers['webhook-timestamp']);
      await expect
        .poll(() => events.at(-1))
        .toMatchObject({ type: 'webhook-delivered', attempts: 2, status: 204 });
      expect(events.find(({ type }) => type === 'webhook-failed')).toMatchObject({
        attempts: 1,
        reason: 'status 302',
        willRetry: true,
      });
    },
  );

  it('is given up, and no other one is sent, after a 410 [WEBHOOK-5]', async () => {
    const receiver = await startReceiver(410);
    const model = await startModel();
    const events: ProxyEvent[] = [];
    const proxy = await start(receiver, events);
    await post(proxy, `${model.url}/x`);
    const failed = () => events.filter(({ type }) => type === 'webhook-failed');
    await expect.poll(failed).toMatchObject([{ reason: 'status 410', willRetry: false }]);
    await post(proxy, `${model.url}/x`);
    await expect.poll(failed).toMatchObject([{}, { reason: 'disabled by 410', willRetry: false }]);
    expect(receiver.calls).toHaveLength(1);
  });

  it(
    'is sent by the next process if its own was killed after the closing [WEBHOOK-6]',
    { timeout: 60_000 },
    async () => {
      // Whichever process sends it first, the receiver is down.
      const receiver = await startReceiver(503);
      const model = await startModel();
      const folder = await temporaryFolder();
      cleanups.push(() => folder.remove());
      const options = {
        dataDir: folder.path,
        args: ['--webhook-url', `${receiver.url}/hooks`],
        env: { WEBHOOK_SECRET: secret },
      };
      const first = await startProxyProcess(options);
      const url = locationOf(first, await post(first, `${model.url}/x`));
      const read = await readSse(await fetch(withQuery(url, { offset: '-1', live: 'sse' })));
      expect(read.controls.at(-1)).toMatchObject({ streamClosed: true });
      await first.kill('SIGKILL');
      const sentBefore = receiver.calls.length;
      const second = await startProxyProcess(options);
      cleanups.push(() => second.kill('SIGKILL'));
      const { data } = verified(await receiver.call(sentBefore));
      expect(data).toMatchObject({ outcome: 'complete', bytes: 5 });
      expect(url).toContain(data.streamId);
    },
  );
});
