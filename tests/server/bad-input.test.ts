import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_STATUS } from '../../protocol/errors.ts';
import type { ProxyEvent } from '../../server/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';
import { post } from '../support/wire.ts';

/** Number of requests; the rest are malformed HTTP. */
const WELL_FORMED = 5_000;
const MALFORMED = 1_000;
const AT_ONCE = 32;
const UUID = '01234567-89ab-4cde-8f01-23456789abcd';

let proxy: TestProxy;
let upstream: Upstream;
const counts = { created: 0, closed: 0, begun: 0, ended: 0 };

beforeAll(async () => {
  upstream = await startUpstream(({ res }) => res.end('fine'));
  const onEvent = ({ type }: ProxyEvent): void => {
    if (type === 'created') counts.created += 1;
    if (type === 'closed') counts.closed += 1;
    if (type === 'read-begun') counts.begun += 1;
    if (type === 'read-ended') counts.ended += 1;
  };
  proxy = await startProxy({ onEvent, longPollTimeoutMs: 5, durability: 'process' });
});
afterAll(async () => {
  await proxy.stop({ drainMs: 0 });
  await upstream.close();
});

const mostly = <T>(good: T, ...others: fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(good), weight: 3 }, ...others);
/** Characters of a valid header value (RFC 9110, section 5.5). */
const fieldValue = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 40,
});
const pathText = fc.string({
  unit: fc.constantFrom('/', '.', '%', '2', 'F', 'e', 'a', '?', '&', '=', '-', '0', ';', '\\', '+', ':'),
  maxLength: 30,
});

const target = fc.oneof(
  fc.constant('/v1/proxy'),
  fc.constant(`/v1/proxy/${UUID}`),
  fc.constantFrom(
    '/health',
    '/v1/proxy/',
    `/v1/proxy/${UUID}/`,
    '//',
    '/v1//proxy',
    `/v1/proxy/..%2F${UUID}`,
    '/v1/proxy/%',
    '/v1/proxy/%00',
    '/V1/PROXY',
    'http://elsewhere.example/v1/proxy',
    '/v1/proxy/__proto__',
  ),
  pathText.map((text) => `/v1/proxy/${text}`),
  pathText.map((text) => `/${text}`),
);
const query = fc.array(
  fc.tuple(
    fc.constantFrom(
      'offset',
      'live',
      'cursor',
      'expires',
      'signature',
      'scope',
      'action',
      'key',
      'secret',
      'x',
    ),
    fc.oneof(
      fc.constantFrom(
        '-1',
        'now',
        'sse',
        'long-poll',
        'abort',
        'read',
        '99999999999',
        '0',
        SECRET,
        '%',
        '%00',
        'a,b',
        '💥',
      ),
      fc.string({ maxLength: 12 }),
    ),
  ),
  { maxLength: 4 },
);
const headers = fc.record(
  {
    authorization: mostly(
      `Bearer ${SECRET}`,
      fieldValue,
      fieldValue.map((value) => `Bearer ${value}`),
    ),
    'upstream-url': mostly(
      'UPSTREAM',
      fieldValue,
      fc.webUrl(),
      fc.constantFrom(
        'http://127.0.0.1@evil/',
        'file:///etc/passwd',
        'http://[::1]:1/',
        'http://0x7f.1/',
        '//x',
        'javascript:1',
      ),
    ),
    'upstream-method': mostly(
      'POST',
      fieldValue,
      fc.constantFrom('GET', 'post', 'CONNECT', 'TRACE', 'DELETE'),
    ),
    'upstream-authorization': fieldValue,
    'idempotency-key': fieldValue,
    'stream-key': fieldValue,
    prefer: fc.oneof(fc.constant('return=representation'), fieldValue),
    'if-none-match': fieldValue,
    origin: fieldValue,
    'access-control-request-headers': fieldValue,
    'content-type': fieldValue,
  },
  { requiredKeys: [] },
);
const body = fc.option(fc.uint8Array({ maxLength: 64 }), { nil: undefined });
const request = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'PUT'),
      target,
      query,
      headers,
      body,
    }),
  },
  // One in ten passes the first checks, so that later ones are tested too.
  {
    weight: 1,
    arbitrary: fc.record({
      method: fc.constant('POST'),
      target: fc.constant('/v1/proxy'),
      query: fc.constant([]),
      headers: headers.map((odd) => ({
        ...odd,
        authorization: `Bearer ${SECRET}`,
        'upstream-url': 'UPSTREAM',
        'upstream-method': 'POST',
      })),
      body,
    }),
  },
);

type Case = typeof request extends fc.Arbitrary<infer T> ? T : never;

async function send(pool: Pool, { method, target, query, headers, body }: Case): Promise<string> {
  const text = new URLSearchParams(query.map(([name, value]) => [name, value])).toString();
  const path = target + (text === '' ? '' : `${target.includes('?') ? '&' : '?'}${text}`);
  const filled = {
    ...headers,
    ...(headers['upstream-url'] === 'UPSTREAM' && { 'upstream-url': `${upstream.url}/x` }),
  };
  const answer = await pool.request({
    method: method as 'GET',
    path,
    headers: filled,
    body: method === 'GET' || method === 'HEAD' || !body ? null : Buffer.from(body),
  });
  const type = String(answer.headers['content-type'] ?? '');
  // A name is followed without an end: the client leaves.
  if (type === 'text/event-stream' && method === 'GET') answer.body.destroy();
  const content = answer.body.destroyed ? '' : Buffer.from(await answer.body.arrayBuffer()).toString();
  return verdict(method, answer.statusCode, type, content);
}

/** Returns an empty string for a documented response, otherwise what is wrong with it. */
function verdict(method: string, status: number, type: string, content: string): string {
  if ([200, 201, 204, 304].includes(status)) return '';
  if (method === 'HEAD') return Object.values(ERROR_STATUS).includes(status as never) ? '' : `HEAD ${status}`;
  if (!type.startsWith('application/json')) return `${status} with ${type}: ${content}`;
  const { error } = JSON.parse(content) as { error: { code: keyof typeof ERROR_STATUS } };
  if (error.code === 'INTERNAL_ERROR') return `INTERNAL_ERROR: ${content}`;
  return ERROR_STATUS[error.code] === status ? '' : `${status} for ${error.code}`;
}

async function sendRaw(bytes: Uint8Array): Promise<void> {
  const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.resume().end(bytes);
  await once(socket, 'close');
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let item = queue.pop(); item !== undefined; item = queue.pop()) await act(item);
    }),
  );
}

/** Counts sockets and timers of this process, for server and test. */
function resources(): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) counted[name] = (counted[name] ?? 0) + 1;
  return { sockets: counted['TCPSocketWrap'] ?? 0, timers: counted['Timeout'] ?? 0 };
}

describe('bad input', () => {
  it(`${WELL_FORMED} unusual requests get documented responses and leave no resources behind`, async () => {
    await post(proxy, `${upstream.url}/warm-up`);
    const before = resources();
    const pool = new Pool(proxy.url, { connections: AT_ONCE });
    const wrong: string[] = [];
    await inParallel(fc.sample(request, { numRuns: WELL_FORMED, seed: 20 }), async (each) => {
      const complaint = await send(pool, each).catch((error: unknown) => String(error));
      if (complaint)
        wrong.push(
          `${each.method} ${each.target} ${JSON.stringify(each.query)} ${JSON.stringify(each.headers)}: ${complaint}`,
        );
    });
    await pool.close();
    expect(wrong.slice(0, 5)).toEqual([]);
    await expect.poll(() => counts.created - counts.closed).toBe(0);
    await expect.poll(() => counts.begun - counts.ended).toBe(0);
    expect(counts.created).toBeGreaterThan(100);
    await expect.poll(() => resources().sockets).toBeLessThanOrEqual(before['sockets']! + AT_ONCE);
    await expect.poll(() => resources().timers).toBeLessThanOrEqual(before['timers']! + 2);
  }, 300_000);

  it(`${MALFORMED} malformed messages end their connection, and the process keeps running`, async () => {
    const line = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .constantFrom(
          ...[
            'GET //\r\n\r\n',
            'GET // HTTP/1.1\r\nhost: x\r\n\r\n',
            'GET / HTTP/9.9\r\n\r\n',
            '\0\0\0\0',
            'POST /v1/proxy HTTP/1.1\r\n\r\n',
          ],
          ...[
            'GET /v1/proxy\0 HTTP/1.1\r\nhost: x\r\n\r\n',
            'POST /v1/proxy HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello',
          ],
          ...[
            'POST /v1/proxy HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n',
            'GET http:// HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
          ],
          ...[
            'GET /v1/proxy/%ZZ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
            'OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
          ],
        )
        .map((text) => new Uint8Array(Buffer.from(text, 'latin1'))),
    );
    await inParallel(fc.sample(line, { numRuns: MALFORMED, seed: 21 }), sendRaw);
    expect((await fetch(`${proxy.url}/health`)).status).toBe(200);
    expect((await post(proxy, `${upstream.url}/x`)).status).toBe(201);
  }, 60_000);
});
