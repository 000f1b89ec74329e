import { afterEach, expect, it } from 'vitest';
import {
  IDEMPOTENCY_KEY,
  STREAM_KEY,
  UPSTREAM_CONTENT_TYPE,
  UPSTREAM_HEADERS,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import type { ProxyServerOptions } from '../../server/index.ts';
import { SECRET, startProxy, temporaryFolder, type TestProxy } from '../support/proxy.ts';
import { startUpstream, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, withQuery } from '../support/wire.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: Partial<ProxyServerOptions> = {}): Promise<TestProxy> {
  const proxy = await startProxy(options);
  cleanups.push(() => proxy.stop({ drainMs: 0 }));
  return proxy;
}

async function serve(handler: (call: UpstreamCall) => void): Promise<Upstream> {
  const upstream = await startUpstream(handler);
  cleanups.push(() => upstream.close());
  return upstream;
}

const respond = ({ res }: UpstreamCall): void => {
  res.writeHead(202, 'Accepted', {
    'content-type': 'text/plain',
    'x-request-id': 'req_1',
    'x-ratelimit-remaining-tokens': '12',
    'set-cookie': 'session=secret',
  });
  res.end('answer');
};

const authorization = { authorization: `Bearer ${SECRET}` };
const names = { [IDEMPOTENCY_KEY]: 'a key', [STREAM_KEY]: 'a name' };

/** Returns all responses about a stream. */
async function responsesOf(proxy: TestProxy, upstreamUrl: string): Promise<Response[]> {
  const created = await post(proxy, upstreamUrl, { headers: names });
  const location = locationOf(proxy, created);
  const read = (query: Record<string, string>) => fetch(withQuery(location, query));
  return Promise.all([
    created,
    post(proxy, upstreamUrl, { headers: names }),
    fetch(withQuery(proxy.base, { key: 'a name' }), { headers: authorization }),
    fetch(location.split('?')[0]!, { method: 'HEAD', headers: authorization }),
    read({}),
    read({ offset: 'now' }),
    read({ live: 'long-poll' }),
    read({ live: 'sse' }),
    read({ as: 'upstream' }),
  ]);
}

it('[RESP-1][RESP-6] every response about a stream has the status and headers of the upstream', async () => {
  const proxy = await start();
  const upstream = await serve(respond);
  const responses = await responsesOf(proxy, upstream.url);
  expect(responses.map(({ status }) => status)).toEqual([201, 200, 200, 200, 200, 200, 200, 200, 200]);
  const values = responses.map(({ headers }) => headers.get(UPSTREAM_HEADERS));
  expect(new Set(values).size).toBe(1);
  for (const { headers } of responses) {
    expect(headers.get(UPSTREAM_STATUS)).toBe('202');
    expect(headers.get(UPSTREAM_CONTENT_TYPE)).toBe('text/plain');
    expect(headers.get('access-control-expose-headers')).toContain(`${UPSTREAM_STATUS},${UPSTREAM_HEADERS}`);
  }
  const pairs = JSON.parse(values[0]!) as [string, string][];
  expect(pairs).toContainEqual(['x-request-id', 'req_1']);
  expect(pairs).toContainEqual(['x-ratelimit-remaining-tokens', '12']);
  expect(pairs.map(([name]) => name)).not.toContain('set-cookie');
  expect(pairs.map(([name]) => name)).not.toContain('content-type');
});

it('[RESP-6] keeps the status and headers after a restart', async () => {
  const folder = await temporaryFolder();
  cleanups.push(() => folder.remove());
  const upstream = await serve(respond);
  const first = await startProxy({ dataDir: folder.path });
  const created = await post(first, upstream.url);
  const path = new URL(locationOf(first, created));
  await first.stop({ drainMs: 0 });
  const second = await start({ dataDir: folder.path });
  const read = await fetch(`${second.url}${path.pathname}${path.search}`);
  expect(await read.text()).toBe('answer');
  for (const name of [UPSTREAM_STATUS, UPSTREAM_HEADERS])
    expect(read.headers.get(name)).toBe(created.headers.get(name));
});

it('[RESP-4] exposes what the operator lists', async () => {
  const proxy = await start({ exposeUpstreamHeaders: ['X-Request-Id'] });
  const upstream = await serve(respond);
  const created = await post(proxy, upstream.url);
  expect(created.headers.get(UPSTREAM_HEADERS)).toBe('[["x-request-id","req_1"]]');
});

it('throws for an invalid value of exposeUpstreamHeaders', async () => {
  const wrong = { exposeUpstreamHeaders: 'some' as 'all' };
  await expect(start(wrong)).rejects.toThrow("exposeUpstreamHeaders must be 'all', 'none' or a list");
});
