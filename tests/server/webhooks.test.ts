import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { createServiceToken, type ProxyEvent } from '../../server/index.ts';
import { needs } from '../requirements.ts';
import { startRedis } from '../store/redis/servers.ts';
import { startProxyProcess, type ProxyProcessOptions } from '../support/process.ts';
import { FORMAT_ANSWERS, type FormatAnswer } from '../support/format-answers.ts';
import { SECRET, startProxy, temporaryFolder } from '../support/proxy.ts';
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

/** Starts a receiver that responds with these statuses, then with 204. */
async function startReceiver(...statuses: number[]) {
  const receiver = await startUpstream(({ res }) => {
    const status = statuses.shift() ?? 204;
    res.writeHead(status, status === 302 ? { location: '/elsewhere' } : {}).end('ignored');
  });
  cleanups.push(() => receiver.close());
  return receiver;
}

/** Returns the webhook that a receiver got, after verifying its signature. */
function verified({ req, body }: UpstreamCall): Closed {
  return new Webhook(secret).verify(body, req.headers as Record<string, string>) as Closed;
}

/** The types of all fields, and the form of ids and URLs. */
function shapeOf(value: unknown): unknown {
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, shapeOf(field)]));
  }
  return typeof value === 'string'
    ? value
        .replace(/=[^&]*/g, '=')
        .replace(/[0-9a-f-]{36}/g, 'id')
        .replace(/^\d{4}-.*Z$/, 'date')
    : value === null
      ? null
      : typeof value;
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
  it('reports a closing after it is stored, signed and with a read-only URL [WEBHOOK-1] [WEBHOOK-2]', async () => {
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

  it('has the documented body [server/webhook.json]', async () => {
    const receiver = await startReceiver();
    const [chat] = FORMAT_ANSWERS as [FormatAnswer];
    const model = await startUpstream(({ res }) =>
      res.writeHead(200, chat.headers).end(chat.events.join('')),
    );
    cleanups.push(() => model.close());
    const proxy = await start(receiver);
    const token = await createServiceToken({ jwtSecret: SECRET, subject: 'user-1', expiresInSeconds: 60 });
    const headers = { authorization: `Bearer ${token}`, 'stream-key': 'chat-1' };
    await post(proxy, `${model.url}/x`, { headers });
    const documented: unknown = JSON.parse(
      await readFile(new URL('../samples/server/webhook.json', import.meta.url), 'utf8'),
    );
    const call = await receiver.call(0);
    expect(shapeOf(JSON.parse(call.body.toString()))).toEqual(shapeOf(documented));
    expect(verified(call).data).toMatchObject({ outcome: 'complete', usage: chat.usage });
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
    { timeout: 120_000 },
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

  it('is not retried after a 410, and no further webhook is sent [WEBHOOK-5]', async () => {
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
    { timeout: 120_000 },
    async () => {
      // The first attempt of any process fails.
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

/** Kills the process of an answer in its middle, and returns what the receiver gets from the process that is left. */
async function reportAfterKill(backend: ProxyProcessOptions, isShared: boolean) {
  const receiver = await startReceiver();
  const model = await startUpstream(({ res }) => void write(res, 'begin'));
  cleanups.push(() => model.close());
  const options = {
    ...backend,
    args: ['--webhook-url', `${receiver.url}/hooks`],
    env: { WEBHOOK_SECRET: secret },
  };
  const first = await startProxyProcess(options);
  cleanups.push(() => first.kill('SIGKILL'));
  const second = isShared ? await startProxyProcess(options) : undefined;
  const url = locationOf(first, await post(first, `${model.url}/x`));
  await readSse(await fetch(withQuery(url, { live: 'sse' })), ({ bytes }) => bytes.length === 5);
  await first.kill('SIGKILL');
  const left = second ?? (await startProxyProcess(options));
  cleanups.push(() => left.kill('SIGKILL'));
  const { data } = verified(await receiver.call(0));
  expect(url).toContain(data.streamId);
  return data;
}

const INTERRUPTED = { outcome: 'interrupted', error: { code: 'INTERRUPTED' } };

describe('an answer whose process was killed in its middle, and that has no reader', () => {
  it(
    '[WEBHOOK-1][WEBHOOK-6] is reported by the next process on an embedded store',
    { timeout: 120_000 },
    async () => {
      const folder = await temporaryFolder();
      cleanups.push(() => folder.remove());
      const data = await reportAfterKill({ dataDir: folder.path }, false);
      expect(data).toMatchObject({ ...INTERRUPTED, bytes: 5 });
    },
  );
});

needs('redis-server')(
  'an answer on Redis whose process was killed in its middle, and that has no reader',
  () => {
    it('[WEBHOOK-1][WEBHOOK-6] is reported by another process', { timeout: 120_000 }, async () => {
      const redis = await startRedis();
      cleanups.push(() => redis.stop());
      expect(await reportAfterKill({ redis: redis.url }, true)).toMatchObject(INTERRUPTED);
    });
  },
);
