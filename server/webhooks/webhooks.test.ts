import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, it } from 'vitest';
import { ConfigurationError } from '../shared/errors.ts';
import { checkWebhook } from './options.ts';
import { retryDelayMs } from './schedule.ts';
import { webhookHeaders, webhookKey } from './signature.ts';
import { decodeTask, encodeTask, originEntries, originOf } from './task.ts';

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
