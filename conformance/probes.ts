import {
  IDEMPOTENCY_KEY,
  IDEMPOTENCY_REPLAYED,
  PREFER,
  PREFERENCE_APPLIED,
  PREFER_UPSTREAM_STATUS,
  RESPOND_ASYNC,
  RETURN_REPRESENTATION,
  STREAM_KEY,
  UNREAD_TIMEOUT,
  UPSTREAM_HEADERS,
  UPSTREAM_OUTCOME,
  UPSTREAM_RECOVERIES,
} from '../protocol/headers.ts';
import {
  ACTION,
  ACTION_ABORT,
  AS,
  AS_UPSTREAM,
  EVENTS,
  EVENTS_COMPACT,
  KEY,
  LIVE,
  LIVE_SSE,
  SCOPE,
  SCOPE_READ,
} from '../protocol/query.ts';
import { randomUUID } from 'node:crypto';
import { brokenAnswer } from './broken-answer.ts';
import type { TestTools } from './test-tools.ts';
import { serviceToken } from './tokens.ts';
import { EXTENSIONS, type Extension } from './types.ts';

export type Probe = (t: TestTools) => Promise<boolean>;

/** One or two harmless requests whose responses show that the server has the extension. */
const PROBES: Record<Extension, Probe> = {
  outcomes: async (t) => {
    const stream = await t.start(t.reply('probe'));
    return (await stream.closed()).last.header(UPSTREAM_OUTCOME) !== undefined;
  },
  idempotency: async (t) => {
    const upstream = t.reply('probe');
    const headers = { [IDEMPOTENCY_KEY]: randomUUID() };
    await t.create(upstream, { headers });
    return (await t.create(upstream, { headers })).header(IDEMPOTENCY_REPLAYED) !== undefined;
  },
  'abort-by-key': async (t) => {
    const url = new URL(`${t.base}?${ACTION}=${ACTION_ABORT}`);
    const headers = { [IDEMPOTENCY_KEY]: randomUUID() };
    return (await t.service(url, { method: 'PATCH', headers })).status === 204;
  },
  prefer: async (t) => {
    const response = await t.create(t.reply('probe'), { headers: { [PREFER]: RETURN_REPRESENTATION } });
    return response.header(PREFERENCE_APPLIED) !== undefined;
  },
  'compact-events': async (t) => {
    const stream = await t.start(t.reply('probe'));
    const response = await stream.read({ [LIVE]: LIVE_SSE, [EVENTS]: EVENTS_COMPACT });
    return /^data: ?probe$/m.test(String(await response.bytes()));
  },
  [PREFER_UPSTREAM_STATUS]: async (t) => {
    const headers = { [PREFER]: PREFER_UPSTREAM_STATUS };
    return (await t.create(t.reply('probe', { status: 429 }), { headers })).status === 429;
  },
  [RESPOND_ASYNC]: async (t) => {
    const response = await t.create(t.reply('probe'), { headers: { [PREFER]: RESPOND_ASYNC } });
    return response.status === 202;
  },
  'upstream-head': async (t) => (await t.create(t.reply('probe'))).header(UPSTREAM_HEADERS) !== undefined,
  recovery: async (t) => {
    const stream = await brokenAnswer(t).start();
    return (await stream.closed()).last.header(UPSTREAM_RECOVERIES) !== undefined;
  },
  completeness: async (t) => {
    const stream = await t.start(t.reply('data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'));
    return (await stream.closed()).last.header(UPSTREAM_OUTCOME) === 'truncated';
  },
  unread: async (t) =>
    (await t.create(t.reply('probe'), { headers: { [UNREAD_TIMEOUT]: 'probe' } })).status === 400,
  find: async (t) => {
    const name = randomUUID();
    await t.create(t.reply('probe'), { headers: { [STREAM_KEY]: name } });
    return (await t.service(new URL(`${t.base}?${KEY}=${name}`))).status === 200;
  },
  follow: async (t) => {
    const response = await t.service(new URL(`${t.base}?${KEY}=${randomUUID()}&${LIVE}=${LIVE_SSE}`));
    response.message.destroy();
    return response.header('content-type')?.startsWith('text/event-stream') === true;
  },
  // A server that does not know the parameter ignores it.
  scope: async (t) => {
    const stream = await t.start(t.reply('probe'));
    return (await stream.read({ [SCOPE]: SCOPE_READ })).status === 401;
  },
  'as-upstream': async (t) => {
    const stream = await t.start(t.reply('probe', { contentType: 'text/plain' }));
    return (await stream.read({ [AS]: AS_UPSTREAM })).header('content-type') === 'text/plain';
  },
  tokens: async (t) => {
    const token = await serviceToken(t.secret, { sub: 'probe' });
    return (await t.create(t.reply('probe'), { token })).status === 201;
  },
};

/** Detects the extensions of the server with concurrent probes. A probe that fails counts as not detected. */
export async function findExtensions(
  run: (probe: Probe) => Promise<boolean>,
): Promise<ReadonlySet<Extension>> {
  const found = await Promise.all(
    EXTENSIONS.map(async (extension) => run(PROBES[extension]).catch(() => false)),
  );
  return new Set(EXTENSIONS.filter((_, i) => found[i]));
}
