import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, it, vi } from 'vitest';
import { startUpstream } from '../../tests/support/upstream.ts';
import { createKeyring } from '../auth/keyring.ts';
import { TAKEN_MS } from '../coordination/times.ts';
import type { TakenTask } from '../coordination/types.ts';
import { ConfigurationError } from '../shared/errors.ts';
import type { ProxyEvent } from '../shared/events.ts';
import { silentLogger } from '../shared/logger.ts';
import { StoreError } from '../store/types.ts';
import { checkWebhook } from './options.ts';
import { retryDelayMs } from './schedule.ts';
import { ATTEMPT_MS } from './send.ts';
import { webhookHeaders, webhookKey } from './signature.ts';
import { decodeTask, encodeTask, originEntries, originOf } from './task.ts';
import { Webhooks } from './webhooks.ts';

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const url = 'https://app.example.com/hooks';

it('signs messages that standardwebhooks verifies', () => {
  const body = JSON.stringify({ type: 'stream.closed', data: { text: 'naïve façade' } });
  const timestamp = Math.floor(Date.now() / 1_000);
  const headers = webhookHeaders(webhookKey(secret), { id: 'msg-1', timestamp, body });
  expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
});

it('retries after 5 s, 30 s, 5 min, 30 min, 2 h, 8 h and 24 h, with jitter, and then gives up', () => {
  const delays = (random: number) =>
    [1, 2, 3, 4, 5, 6, 7, 8].map((attempts) => retryDelayMs(attempts, () => random));
  expect(delays(0)).toEqual([5e3, 3e4, 3e5, 18e5, 72e5, 288e5, 864e5, undefined]);
  expect(delays(1)).toEqual([6e3, 36e3, 36e4, 216e4, 864e4, 3456e4, 10368e4, undefined]);
});

it.each([
  ['a string', 'https://app.example.com', /must be an object/],
  ['no secret', { url }, /webhook\.secret must be "whsec_".*openssl rand/],
  ['a secret without its prefix', { url, secret: 'c2VjcmV0' }, /whsec_/],
  ['a secret that is too short', { url, secret: 'whsec_c2VjcmV0' }, /24 to 64 bytes/],
  ['a secret that is not base64', { url, secret: `whsec_${'?'.repeat(40)}` }, /base64/],
  ['a relative URL', { url: '/hooks', secret }, /absolute http or https URL/],
  ['a URL of another scheme', { url: 'ftp://example.com', secret }, /absolute http or https URL/],
  ['credentials in the URL', { url: 'https://user:pass@example.com/', secret }, /Use headers/],
  ['headers that are no headers', { url, secret, headers: { 'a b': 'c' } }, /needs headers/],
  ['an unknown option', { url, secret, retries: 3 }, /has no option "retries"/],
])('refuses %s, with an example', (_, value, message) => {
  const check = () => checkWebhook(value);
  expect(check).toThrow(ConfigurationError);
  expect(check).toThrow(message);
  expect(check).toThrow(/Example: webhook: /);
  expect(check).not.toThrow(secret);
});

it('stores a closing, and ignores tasks and metadata of another form', () => {
  const origin = { subject: 'user-1', key: 'chat', base: '/v1/proxy', startedAt: 1 };
  const task = { streamId: 'id', closedAt: 2, bytes: null, outcome: 'complete', origin };
  expect(decodeTask(encodeTask(task))).toEqual(task);
  expect(decodeTask('webhook/2 {}')).toBeUndefined();
  expect(originOf(originEntries(origin))).toEqual(origin);
  expect(originOf({})).toBeUndefined();
});

/** How the store responds to `head`. */
type State = 'closed' | 'deleted' | 'open' | 'unavailable';

/** Starts webhooks on an outbox with one task. `given` resolves with how the task was given back. */
function startWebhooks(url: string, state: State, events: ProxyEvent[] = []) {
  const origin = { base: '/v1/proxy', startedAt: 1 };
  const payload = encodeTask({ streamId: 'id', closedAt: 2, bytes: 5, outcome: 'complete', origin });
  const info = { contentType: '', metadata: {}, ttlSeconds: 60, tail: '3' };
  let isTaken = false;
  let give!: (how: keyof TakenTask) => void;
  const given = new Promise<keyof TakenTask>((resolve) => (give = resolve));
  const back = (how: keyof TakenTask) => async () => (give(how), true);
  const task = {
    ...{ id: 'webhook-id', payload, attempts: 1 },
    ...{ extend: back('extend'), done: back('done'), retry: back('retry'), postpone: back('postpone') },
  };
  const webhooks = new Webhooks({
    url,
    secret,
    outbox: {
      add: () => Promise.resolve(),
      take: () => Promise.resolve(isTaken ? undefined : ((isTaken = true), task)),
    },
    store: {
      head: async () => {
        if (state === 'unavailable') throw new StoreError('UNAVAILABLE', 'The store is down');
        if (state === 'deleted') return Promise.resolve(undefined);
        return Promise.resolve({ ...info, ...(state === 'closed' && { end: { outcome: 'complete' } }) });
      },
      positionOf: Number,
    },
    keyring: createKeyring('a-secret-of-the-tests-that-is-long-enough'),
    options: { urlExpirationSeconds: 60, logger: silentLogger },
    emit: (event) => void events.push(event),
  });
  webhooks.start();
  return { webhooks, given };
}

/** Runs webhooks on an outbox with one task. Resolves with how the task was given back. */
async function deliver(...args: Parameters<typeof startWebhooks>): Promise<keyof TakenTask> {
  const { webhooks, given } = startWebhooks(...args);
  try {
    return await given;
  } finally {
    await webhooks.stop();
  }
}

it('[WEBHOOK-4] ends an attempt well before its task is due again, so that the delays between attempts count', () => {
  expect(ATTEMPT_MS).toBeLessThanOrEqual(TAKEN_MS - 5_000);
});

it('[WEBHOOK-4] repeats an attempt that timed out, and names the reason', async () => {
  const receiver = await startUpstream(() => undefined);
  const { timeout } = AbortSignal;
  const spy = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => timeout.call(AbortSignal, 50));
  const events: ProxyEvent[] = [];
  try {
    expect(await deliver(receiver.url, 'closed', events)).toBe('retry');
    expect(events).toMatchObject([{ type: 'webhook-failed', reason: 'TimeoutError', willRetry: true }]);
  } finally {
    spy.mockRestore();
    await receiver.close();
  }
});

it('[WEBHOOK-4] does not count as an attempt that the stream is still open', async () => {
  expect(await deliver(url, 'open')).toBe('postpone');
});

it('[WEBHOOK-4] does not count as an attempt that the store is unavailable, because nothing is sent', async () => {
  expect(await deliver(url, 'unavailable')).toBe('postpone');
});

it('[WEBHOOK-4] returns the task of a request that a shutdown cancels, and does not count the attempt', async () => {
  let received!: () => void;
  const isReceived = new Promise<void>((resolve) => (received = resolve));
  const receiver = await startUpstream(() => received());
  const events: ProxyEvent[] = [];
  const { webhooks, given } = startWebhooks(receiver.url, 'closed', events);
  await isReceived;
  await webhooks.stop();
  expect(await given).toBe('postpone');
  expect(events).toEqual([]);
  await receiver.close();
});

it.each([
  ['are stored', 'closed', 3],
  ['its process had counted, if the stream was deleted', 'deleted', 5],
] as const)('reports the bytes of the stream that %s', async (_, state, bytes) => {
  const receiver = await startUpstream(({ res }) => res.writeHead(204).end());
  expect(await deliver(receiver.url, state)).toBe('done');
  expect(JSON.parse(receiver.calls[0]!.body.toString())).toMatchObject({ data: { bytes } });
  await receiver.close();
});
