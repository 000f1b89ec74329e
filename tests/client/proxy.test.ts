import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';
import type { DurableFetchOptions, Resumption } from '../../core-client/types.ts';
import { createServiceToken } from '../../server/index.ts';
import { SECRET, startProxy, temporaryFolder, type TestProxy } from '../support/proxy.ts';
import { seeded } from '../support/random.ts';
import { startRelay, type Relay } from '../support/relay.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { drain } from './support.ts';

let proxy: TestProxy;
let upstream: Upstream;
let handle: (call: UpstreamCall) => void;
const TEXT = { 'content-type': 'text/plain' };

beforeAll(async () => {
  proxy = await startProxy();
});
afterAll(() => proxy.stop());
beforeEach(async () => {
  upstream = await startUpstream((call) => handle(call));
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await upstream.close();
});

const client = (options: Partial<DurableFetchOptions> = {}) =>
  createDurableFetch({ proxyUrl: proxy.base, proxyAuthorization: SECRET, ...options });

describe('a client of the real proxy', () => {
  let relay: Relay;
  let cutAfter: () => number | undefined = () => undefined;
  beforeAll(async () => {
    relay = await startRelay(proxy.url, () => cutAfter());
  });
  afterEach(() => {
    cutAfter = () => undefined;
    relay.cutAll();
  });
  afterAll(() => relay.close());

  it('reads every byte once while its sockets are destroyed at random more than fifty times', async () => {
    const random = seeded(7);
    const bytes = Buffer.from(Array.from({ length: 120_000 }, () => Math.floor(random() * 256)));
    handle = ({ res }) => void res.writeHead(200, TEXT).flushHeaders();
    const states: Resumption[] = [];
    const call = client({
      proxyUrl: `${relay.url}/v1/proxy`,
      onResumption: (resumption) => states.push(resumption),
    });
    const response = await call(upstream.url, { body: 'question' });
    const { res } = await upstream.call(0);
    const reader = response.body!.getReader();
    const received: Uint8Array[] = [];
    let at = 0;
    for (let length = 0; at < bytes.length || length < at;) {
      // The upstream continues without a reader.
      const size = Math.min(1 + Math.floor(random() * 3_000), bytes.length - at);
      if (size > 0) await write(res, bytes.subarray(at, at + size));
      at += size;
      if (random() < 0.6) relay.cutAll();
      const { value } = await reader.read();
      received.push(value!);
      length += value!.length;
    }
    res.end();
    expect((await reader.read()).done).toBe(true);
    expect(Buffer.compare(Buffer.concat(received), bytes)).toBe(0);
    expect(upstream.calls).toHaveLength(1);
    expect(relay.cuts).toBeGreaterThanOrEqual(50);
    expect(states.at(-1)).toMatchObject({
      status: 'complete',
      receivedBytes: bytes.length,
      outcome: 'complete',
    });
  });

  it('calls the upstream once even if the responses to its POST are lost', async () => {
    handle = ({ res }) => void res.writeHead(200, TEXT).end('the answer');
    let left = 4;
    cutAfter = () => (left-- > 0 ? 40 * left + 1 : undefined);
    const response = await client({ proxyUrl: `${relay.url}/v1/proxy` })(upstream.url, { body: 'question' });
    expect([await response.text(), response.wasResumed]).toEqual(['the answer', false]);
    expect(left).toBeLessThan(0);
    expect(upstream.calls).toHaveLength(1);
  });

  it('stops by its id the request that is being sent, not an unfinished one before it', async () => {
    handle = ({ res }) => void res.writeHead(200, TEXT).write('some ');
    const call = client();
    const first = await call(upstream.url, { body: 'x', requestId: 'id' });
    // The proxy refuses the create, or ends its answer, depending on which request comes first.
    const error = call(upstream.url, { body: 'y', requestId: 'id' }).then(
      async (sent) => (await drain(sent)).error,
      (refused: unknown) => refused,
    );
    expect(await call.abort('id')).toBe(true);
    expect(await error).toMatchObject({ outcome: 'aborted' });
    expect(await Promise.race([first.outcome, (await upstream.call(0)).closed, 'running'])).toBe('running');
    await first.abort();
  });

  it('resumes its answer after a reload before the first byte', async () => {
    let answering: UpstreamCall['res'] | undefined;
    handle = ({ res }) => void (answering = res);
    const storage = new MemoryStorage();
    const page = new AbortController();
    const lost = client({ storage })(upstream.url, { body: 'x', requestId: 'reload', signal: page.signal });
    await upstream.call(0);
    page.abort();
    await expect(lost).rejects.toMatchObject({ name: 'AbortError' });
    const [found, joined] = [client({ storage }).resume('reload'), client().resume('reload')];
    const again = client({ storage })(upstream.url, { body: 'x', requestId: 'reload' });
    answering?.writeHead(200, TEXT).write('the ');
    const responses = await Promise.all([found, joined, again]);
    answering?.end('answer');
    for (const response of responses) {
      expect(response).toMatchObject({ wasResumed: true, status: 200 });
      expect(await response?.text()).toBe('the answer');
    }
    expect(upstream.calls).toHaveLength(1);
  });
});

describe('an answer', () => {
  it('delivers every byte and then an error if the upstream connection is cut', async () => {
    handle = ({ res }) => void res.writeHead(200, TEXT).write('some ', () => res.destroy());
    const response = await client()(upstream.url, { body: 'x' });
    const { text, error } = await drain(response);
    expect(text).toBe('some ');
    expect(error).toMatchObject({ name: 'DurableStreamError', outcome: 'upstream-error' });
    expect(await response.outcome).toBe('upstream-error');
  });

  it('loses no bytes if it is stopped, and the connection to the upstream is closed', async () => {
    handle = ({ res }) => void res.writeHead(200, TEXT).write('some ');
    const storage = new MemoryStorage();
    const response = await client({ storage })(upstream.url, { body: 'x', requestId: 'stopped' });
    const ended = drain(response);
    await response.abort();
    await (
      await upstream.call(0)
    ).closed;
    expect(await ended).toMatchObject({ text: 'some ', error: { name: 'AbortError' } });
    expect(await client({ storage }).resume('stopped')).toBeNull();
    expect(await client().resume('stopped')).toBeNull();
  });

  it('ends as interrupted after its bytes if the proxy shuts down, also on the next proxy', async () => {
    const folder = await temporaryFolder();
    const first = await startProxy({ dataDir: folder.path });
    const options = { proxyUrl: first.base, storage: new MemoryStorage() };
    handle = ({ res }) => void res.writeHead(200, TEXT).write('some ');
    const reader = (await client(options)(upstream.url, { body: 'x', requestId: 'id' })).body!.getReader();
    await reader.read();
    await reader.cancel();
    await first.stop({ drainMs: 0 });
    const second = await startProxy({ dataDir: folder.path, port: Number(new URL(first.url).port) });
    const response = await client(options).resume('id');
    expect(await drain(response!)).toMatchObject({ text: 'some ', error: { outcome: 'interrupted' } });
    expect(await client(options).resume('id')).toBeNull();
    await second.stop();
    await folder.remove();
  });
});

describe('access to an answer', () => {
  it('requests a new token after the old one has expired', async () => {
    handle = ({ res }) => void res.writeHead(200, TEXT).end('the answer');
    const token = (expiresInSeconds: number) =>
      createServiceToken({ jwtSecret: SECRET, subject: 'someone', expiresInSeconds });
    const tokens = [await token(1), await token(60)];
    const headers = { authorization: `Bearer ${tokens[0]}` };
    while ((await fetch(`${proxy.base}?key=none`, { headers })).status !== 401);
    const proxyAuthorization = vi.fn(() => tokens.shift());
    expect(await (await client({ proxyAuthorization })(upstream.url)).text()).toBe('the answer');
    expect(proxyAuthorization).toHaveBeenCalledTimes(2);
  });

  it('lets another device of the same subject join, and another subject find nothing', async () => {
    handle = ({ res }) => void res.writeHead(200, TEXT).write('some ');
    const as = (subject: string) => () =>
      createServiceToken({ jwtSecret: SECRET, subject, expiresInSeconds: 60 });
    await client({ proxyAuthorization: as('ada') })(upstream.url, { body: 'x', requestId: 'größe ☂' });
    const joined = await client({ proxyAuthorization: as('ada') }).resume('größe ☂');
    expect(await client({ proxyAuthorization: as('bob') }).resume('größe ☂')).toBeNull();
    (await upstream.call(0)).res.end('more');
    expect(await joined?.text()).toBe('some more');
  });

  it('renews an expired URL during the answer and after a reload', async () => {
    const brief = await startProxy({ urlExpirationSeconds: 1 });
    const relay = await startRelay(brief.url, () => undefined);
    const storage = new MemoryStorage();
    const options = { proxyUrl: `${relay.url}/v1/proxy`, storage };
    handle = ({ res }) => void res.writeHead(200, TEXT).write('some ');
    try {
      const named = await client(options)(upstream.url, { body: 'x', requestId: 'brief' });
      const nameless = await client(options)(upstream.url, { body: 'y' });
      const readers = [named, nameless].map((response) => response.body!.getReader());
      for (const reader of readers) await reader.read();
      while ((await fetch(`${named.streamUrl}&offset=-1`)).status !== 401);
      relay.cutAll();
      const again = await client(options).resume('brief');
      for (const { res } of upstream.calls) res.end('more');
      for (const reader of readers)
        expect(new TextDecoder().decode((await reader.read()).value)).toBe('more');
      expect(await again?.text()).toBe('some more');
      expect(upstream.calls).toHaveLength(2);
    } finally {
      await relay.close();
      await brief.stop();
    }
  });
});
