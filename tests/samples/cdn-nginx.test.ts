import { readFileSync } from 'node:fs';
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STREAM_CLOSED, STREAM_CURSOR, STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import { signStreamUrl, type ProxyEvent } from '../../server/index.ts';
import { needs } from '../requirements.ts';
import { startNginx, type Nginx } from '../support/nginx.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post } from '../support/wire.ts';
import { SAMPLES } from './support/bundle.ts';

const CHUNKS = ['first, ', 'second, ', 'third, ', 'last'];

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

needs('nginx')('the CDN of docs/deployment.md', () => {
  let upstream: Upstream;
  let proxy: TestProxy;
  let nginx: Nginx;
  const agent = new Agent({ keepAlive: true, maxFreeSockets: Infinity });
  /** Reads that reached the proxy. */
  const origin: ProxyEvent[] = [];

  beforeAll(async () => {
    upstream = await startUpstream(({ res }) => void write(res, CHUNKS[0]!));
    proxy = await startProxy({ onEvent: (event) => event.type === 'read-begun' && origin.push(event) });
    const sample = readFileSync(join(SAMPLES, 'deployment/cdn-nginx.conf'), 'utf8');
    nginx = await startNginx((folder, listen) => {
      const config = sample
        .replace('/var/cache/nginx/streams', join(folder, 'streams'))
        .replace('listen 8080;', `listen ${listen};`);
      return `upstream durable_proxy { server ${new URL(proxy.url).host}; keepalive 64; }\n${config}`;
    });
  });
  afterAll(async () => {
    agent.destroy();
    await nginx.stop();
    await proxy.stop({ drainMs: 0 });
    await upstream.close();
  });

  /** Sends a GET through nginx. */
  function get(url: string, query: Record<string, string>, headers = {}): Promise<Answer> {
    const { pathname, searchParams } = new URL(url, proxy.url);
    for (const [name, value] of Object.entries(query)) searchParams.set(name, value);
    const options = { socketPath: nginx.socketPath, path: `${pathname}?${searchParams}`, agent, headers };
    return new Promise((resolve, reject) => {
      const req = request(options, (res) => {
        let text = '';
        res
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => resolve({ status: res.statusCode!, headers: res.headers, text }));
      });
      req.on('error', reject).end();
    });
  }

  const poll = (url: string, offset: string, cursor?: string) =>
    get(url, { live: 'long-poll', offset, ...(cursor !== undefined && { cursor }) });

  /** Reads a stream to its end by long-polls, as a client of the base protocol does. */
  async function readByPolls(url: string, onText: (text: string) => void): Promise<string> {
    let [offset, cursor, text] = ['-1', undefined as string | undefined, ''];
    for (;;) {
      const { headers, text: piece } = await poll(url, offset, cursor);
      text += piece;
      if (piece !== '') onText(text);
      if (headers[STREAM_CLOSED.toLowerCase()] !== undefined) return text;
      offset = String(headers[STREAM_NEXT_OFFSET.toLowerCase()]);
      cursor = String(headers[STREAM_CURSOR.toLowerCase()]);
    }
  }

  async function begin(): Promise<{ shared: string; own: string; call: UpstreamCall }> {
    const index = upstream.calls.length;
    const own = locationOf(proxy, await post(proxy, `${upstream.url}/x`));
    const [streamId = ''] = new URL(own).pathname.split('/').slice(-1);
    const shared = signStreamUrl({ jwtSecret: SECRET, streamId, basePath: '/v1/proxy', scope: 'read' });
    origin.length = 0;
    return { shared, own, call: await upstream.call(index) };
  }

  /** Resolves with the number of requests that the proxy got for a stream that this many read. */
  async function requestsFor(readers: number): Promise<number> {
    const { shared, call } = await begin();
    let count = 0;
    let onAll: () => void = () => undefined;
    const everyone = () => new Promise<void>((resolve) => (onAll = resolve));
    let received = everyone();
    const texts = Array.from({ length: readers }, () =>
      readByPolls(shared, () => {
        count += 1;
        if (count % readers === 0) onAll();
      }),
    );
    for (const chunk of CHUNKS.slice(1)) {
      await received;
      received = everyone();
      await write(call.res, chunk);
    }
    await received;
    call.res.end();
    expect(new Set(await Promise.all(texts))).toEqual(new Set([CHUNKS.join('')]));
    return origin.length;
  }

  it('[deployment/cdn-nginx.conf] sends the proxy as many requests for 1,000 readers as for 10', async () => {
    // One for each chunk, and one for the end.
    expect(await requestsFor(10)).toBe(CHUNKS.length + 1);
    expect(await requestsFor(1_000)).toBe(CHUNKS.length + 1);
  });

  it('[deployment/cdn-nginx.conf] caches nothing but long-polls with a read-only link', async () => {
    const { shared, own } = await begin();
    const requests = async (send: () => Promise<Answer>) => {
      origin.length = 0;
      const statuses = [(await send()).status, (await send()).status];
      return [...statuses, origin.length];
    };
    const long = { live: 'long-poll', offset: '-1' };
    expect(await requests(() => get(shared, long))).toEqual([200, 200, 1]);
    expect(await requests(() => get(own, long))).toEqual([200, 200, 2]);
    expect(await requests(() => get(shared, { offset: '-1' }))).toEqual([200, 200, 2]);
    const credentials = { authorization: `Bearer ${SECRET}` };
    expect(await requests(() => get(shared, long, credentials))).toEqual([200, 200, 2]);
    // A request without a valid link gets none of the cached bytes.
    const forged = { ...long, signature: 'x'.repeat(43) };
    expect(await get(shared, forged)).toMatchObject({ status: 401 });
    expect(await get(shared, { ...long, scope: '' })).toMatchObject({ status: 401 });
  });
});
