import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { UNREAD_TIMEOUT } from '../../protocol/headers.ts';
import { needs } from '../requirements.ts';
import { startReferenceServer } from '../store/durable-streams/reference-server.ts';
import { startRedis } from '../store/redis/servers.ts';
import { startProxyProcess, type ProxyProcess, type ProxyProcessOptions } from '../support/process.ts';
import { startResumableProvider } from '../support/resumable-provider.ts';
import { startUpstream, write, type UpstreamCall } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const TIMEOUT_MS = 2_000;
/** Milliseconds between two chunks: an answer of this many takes several timeouts. */
const GAP_MS = 250;
const CHUNKS = 24;
const WHOLE = 'x'.repeat(CHUNKS);

interface Backend {
  readonly options: ProxyProcessOptions;
  stop(): Promise<void>;
}

function describeUnread(startBackend: () => Promise<Backend>): void {
  let backend: Backend;
  let proxies: ProxyProcess[];
  const cleanups: (() => unknown)[] = [];

  beforeAll(async () => {
    backend = await startBackend();
    proxies = await Promise.all([1, 2, 3].map(() => startProxyProcess(backend.options)));
  }, 60_000);
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.kill('SIGKILL')));
    await backend.stop();
  });

  /** The same signed URL, at another process. */
  const via = (index: number, url: string, query: Record<string, string>): Promise<Response> =>
    fetch(withQuery(url.replace(/^http:\/\/[^/]+/, proxies[index]!.url), query));
  const headers = { [UNREAD_TIMEOUT]: String(TIMEOUT_MS / 1_000) };

  async function begin(handler: (call: UpstreamCall) => void) {
    const model = await startUpstream(handler);
    cleanups.push(() => model.close());
    const url = locationOf(proxies[0]!, await post(proxies[0]!, `${model.url}/x`, { headers }));
    return { url, call: await model.call(0) };
  }

  /** Sends the chunks, one at a time, then nothing more. */
  const slowly = ({ res }: UpstreamCall): void => {
    void (async () => {
      for (let i = 0; i < CHUNKS && !res.destroyed; i += 1) {
        await write(res, 'x');
        await new Promise((resolve) => setTimeout(resolve, GAP_MS));
      }
    })().catch(() => undefined);
  };

  it('[UNREAD-1][UNREAD-2] continues while another process has a reader, and is canceled once it has left', async () => {
    const { url, call } = await begin(slowly);
    let isClosed = false;
    void call.closed.then(() => (isClosed = true));
    const live = await via(1, url, { live: 'sse' });
    const { bytes } = await readSse(live, (read) => read.bytes.length === CHUNKS);
    expect(bytes.toString()).toBe(WHOLE);
    expect(isClosed).toBe(false);
    const leftAt = performance.now();
    await call.closed;
    // What the first process counts from may be as old as the last message before the reader left.
    expect(performance.now() - leftAt).toBeGreaterThanOrEqual(TIMEOUT_MS - 100);
    const { controls } = await readSse(await via(2, url, { live: 'sse' }));
    expect(controls.at(-1)).toMatchObject({ upstreamOutcome: 'aborted', upstreamError: { code: 'UNREAD' } });
  }, 60_000);

  it('[UNREAD-2] continues while readers come and go at other processes', async () => {
    const { url, call } = await begin(slowly);
    let text = '';
    let offset = '-1';
    for (let visit = 0; text.length < CHUNKS; visit += 1) {
      const part = await via(1 + (visit % 2), url, { offset });
      offset = part.headers.get('stream-next-offset')!;
      text += await part.text();
      // Half a timeout without any reader.
      await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS / 2));
    }
    expect(text).toBe(WHOLE);
    call.res.end();
    const { controls } = await readSse(await via(2, url, { live: 'sse' }));
    expect(controls.at(-1)?.upstreamOutcome).toBe('complete');
  }, 60_000);

  it('[UNREAD-8][RECOVER-6] is canceled by the process that has continued it after the first one was killed', async () => {
    const provider = await startResumableProvider({ kind: 'openai', events: 10_000, gapMs: GAP_MS });
    cleanups.push(() => provider.close());
    const body = JSON.stringify({ background: true, stream: true });
    const url = locationOf(proxies[0]!, await post(proxies[0]!, provider.urlOf(7), { headers, body }));
    await readSse(await via(1, url, { live: 'sse' }), ({ bytes }) => bytes.length > 0);
    await proxies[0]!.kill('SIGKILL');
    await expect.poll(() => provider.canceled, { timeout: 40_000 }).toEqual([7]);
    const { controls } = await readSse(await via(2, url, { live: 'sse' }));
    expect(controls.at(-1)).toMatchObject({ upstreamOutcome: 'aborted', upstreamError: { code: 'UNREAD' } });
  }, 90_000);
}

needs('redis-server')('an answer without readers in any of three processes on one Redis', () => {
  describeUnread(async () => {
    const redis = await startRedis();
    return { options: { redis: redis.url }, stop: () => redis.stop() };
  });
});

describe('an answer without readers in any of three processes on one Durable Streams server', () => {
  describeUnread(async () => {
    const server = await startReferenceServer({ mode: 'memory' });
    return { options: { durableStreamsUrl: server.url }, stop: () => server.stop() };
  });
});
