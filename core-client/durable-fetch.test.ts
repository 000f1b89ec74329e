import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { UPSTREAM_STATE, UPSTREAM_STATUS } from '../protocol/headers.ts';
import { UPSTREAM, useRig } from '../tests/client/support.ts';
import { createDurableFetch } from './durable-fetch.ts';
import { DurableNetworkError } from './errors.ts';
import type { DurableFetch, DurableResponse } from './types.ts';

const rig = useRig();

describe('a durable fetch', () => {
  it('has the type of fetch', () => {
    expectTypeOf<DurableFetch>().toExtend<typeof fetch>();
    expectTypeOf<DurableResponse>().toExtend<Response>();
    const take = (given: typeof fetch) => given;
    expect(take(rig.client())).toBeTypeOf('function');
  });

  it('returns a Response that looks as if it came from the upstream', async () => {
    rig.standIn.upstream = (stream) => void stream.push('{"a":', '"é€"}').close();
    const response = await rig.client()(`${UPSTREAM}#part`, { body: '{}' });
    expect(response).toBeInstanceOf(Response);
    expect(response).toMatchObject({
      url: UPSTREAM,
      status: 200,
      ok: true,
      redirected: false,
      bodyUsed: false,
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const copy = response.clone();
    expect(await response.json()).toEqual({ a: 'é€' });
    expect(await copy.text()).toBe('{"a":"é€"}');
    expect(response.bodyUsed).toBe(true);
  });

  it('returns the body of a response that is called pending and has a status, as earlier servers send it', async () => {
    const both = async (...args: Parameters<typeof fetch>) => {
      const response = await fetch(...args);
      const headers = new Headers(response.headers);
      headers.set(UPSTREAM_STATE, 'pending');
      headers.set(UPSTREAM_STATUS, '200');
      return new Response(response.body, { status: response.status, headers });
    };
    const response = await rig.client({ fetch: both })(UPSTREAM, { body: 'hi' });
    expect([response.status, await response.text(), await response.outcome]).toEqual([
      200,
      'hello',
      'complete',
    ]);
  });

  it('exposes the stream of its body on the response and on a clone', async () => {
    const response = await rig.client()(UPSTREAM, { body: 'hi' });
    const [stream] = rig.standIn.streams.values();
    expect(response).toMatchObject({
      streamId: stream?.id,
      streamUrl: `${rig.standIn.url}/${stream?.id}?expires=1&signature=s`,
      upstreamContentType: 'text/event-stream',
      wasResumed: false,
      offset: undefined,
    });
    const copy = response.clone() as DurableResponse;
    await Promise.all([response.text(), copy.text()]);
    expect(response.offset).toBe('o00000001');
    expect([copy.streamId, copy.url, copy.offset]).toEqual([
      response.streamId,
      response.url,
      response.offset,
    ]);
    expect(await copy.outcome).toBe('complete');
    expect(rig.states.map(({ status }) => status)).toEqual(
      expect.arrayContaining(['creating', 'streaming', 'complete']),
    );
    expect(rig.states.at(-1)).toMatchObject({
      status: 'complete',
      receivedBytes: 5,
      outcome: 'complete',
      attempt: 0,
    });
  });

  it('forwards method, headers and body to the proxy', async () => {
    rig.standIn.secret = 'service';
    const call = rig.client({ proxyAuthorization: 'service' });
    await call(UPSTREAM, {
      method: 'PUT',
      headers: { Authorization: 'Bearer provider', 'X-Api-Key': 'k', 'content-type': 'application/json' },
      body: '{"q":1}',
      requestId: 'größe ☂',
    });
    const { headers, body } = rig.standIn.seen[0]!;
    expect(body).toBe('{"q":1}');
    expect(headers).toMatchObject({
      authorization: 'Bearer service',
      'upstream-authorization': 'Bearer provider',
      'upstream-url': UPSTREAM,
      'upstream-method': 'PUT',
      'x-api-key': 'k',
      'content-type': 'application/json',
      prefer: 'respond-async, return=representation, events=compact',
    });
    expect(headers['idempotency-key']).toMatch(/^[\w-]{32,}$/);
    expect(Buffer.from(String(headers['stream-key']), 'latin1').toString()).toBe('größe ☂');
  });

  it('does not use the Authorization of the caller to authenticate with the proxy', async () => {
    await rig.client()(UPSTREAM, { headers: [['authorization', 'Bearer provider']] });
    expect(rig.standIn.seen[0]?.headers.authorization).toBeUndefined();
    expect(rig.standIn.seen[0]?.headers['upstream-method']).toBe('GET');
  });

  it('transfers a large body unchanged in both directions', async () => {
    const bytes = new Uint8Array(1_000_000).map((_, at) => (at * 7919) >> 3);
    let sent = 0;
    rig.standIn.upstream = (stream, { body }) => {
      sent = body.length;
      for (let at = 0; at < bytes.length; at += 60_000) stream.push(bytes.subarray(at, at + 60_000));
      stream.close();
    };
    const response = await rig.client()(UPSTREAM, { body: 'x'.repeat(3_000_000) });
    expect(Buffer.compare(Buffer.from(await response.arrayBuffer()), bytes)).toBe(0);
    expect(sent).toBe(3_000_000);
  });

  it('needs one round trip if the proxy sends the bytes in its response to the POST, otherwise two', async () => {
    const call = rig.client();
    expect(await (await call(UPSTREAM, { body: 'a' })).text()).toBe('hello');
    expect([rig.standIn.count('create'), rig.standIn.count('read')]).toEqual([1, 0]);
    rig.standIn.extensions = false;
    expect(await (await call(UPSTREAM, { body: 'b' })).text()).toBe('hello');
    expect([rig.standIn.count('create'), rig.standIn.count('read')]).toEqual([2, 1]);
    expect(rig.standIn.seen.at(-1)?.url.search).toContain('offset=-1&live=sse');
  });

  it('rejects the arguments that fetch rejects', async () => {
    const call = rig.client();
    await expect(call(UPSTREAM, { method: 'GET', body: 'x' })).rejects.toThrow(TypeError);
    await expect(call('/relative')).rejects.toThrow(TypeError);
    await expect(createDurableFetch({ proxyUrl: '/v1/proxy' })(UPSTREAM)).rejects.toThrow(TypeError);
    expect(() => createDurableFetch({ proxyUrl: '' })).toThrow(/proxyUrl/);
    expect(rig.standIn.seen).toHaveLength(0);
  });

  it('looks up the global fetch at each call, and calls a given fetch without a this value', async () => {
    const call = rig.client();
    const own = fetch;
    const global = vi.fn(own);
    vi.stubGlobal('fetch', global);
    await (await call(UPSTREAM)).text();
    expect(global).toHaveBeenCalledTimes(1);
    const given = vi.fn(function (this: unknown, ...args: Parameters<typeof fetch>) {
      expect(this).toBeUndefined();
      return own(...args);
    });
    await (await rig.client({ fetch: given, credentials: 'include' })(UPSTREAM)).text();
    expect(given.mock.calls[0]?.[1]).toMatchObject({ credentials: 'include' });
  });

  it('prefers the options of a call to those of the client', async () => {
    rig.standIn.secret = 'right';
    const call = rig.client({ proxyAuthorization: 'wrong', onResumption: undefined });
    expect((await call(UPSTREAM, { proxyAuthorization: undefined })).status).toBe(401);
    const listener = vi.fn();
    expect((await call(UPSTREAM, { proxyAuthorization: 'right', onResumption: listener })).status).toBe(200);
    expect(listener).toHaveBeenCalled();
  });
});

describe('a fetch that a tracing tool wraps', () => {
  /** Reads a clone of each response, which keeps the connection open after one body is canceled. */
  const traced: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    void response
      .clone()
      .text()
      .catch(() => undefined);
    return response;
  };

  it.each(['create', 'read'])('does not leak the connection of a canceled %s', async (kind) => {
    rig.standIn.upstream = (stream) => void stream.push('some ', 'more ');
    if (kind === 'read') rig.standIn.faults.create.push('after-control');
    const response = await rig.client({ fetch: traced })(UPSTREAM, { body: 'x' });
    const reader = response.body!.getReader();
    await reader.read();
    if (kind === 'read') await reader.read();
    await rig.standIn.until(() => rig.standIn.readers === 1);
    await reader.cancel();
    await rig.standIn.until(() => rig.standIn.readers === 0);
  });
});

describe('authorization', () => {
  it('is requested from its function once more after a 401', async () => {
    rig.standIn.secret = 'fresh';
    const ask = vi.fn<() => Promise<string>>().mockResolvedValueOnce('old').mockResolvedValueOnce('fresh');
    expect(await (await rig.client({ proxyAuthorization: ask })(UPSTREAM, { body: 'x' })).text()).toBe(
      'hello',
    );
    expect(ask).toHaveBeenCalledTimes(2);
    ask.mockReset().mockResolvedValue('old');
    expect((await rig.client({ proxyAuthorization: ask })(UPSTREAM, { body: 'x' })).status).toBe(401);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('is sent in the query with authorizationInQuery, and only to operations of the proxy', async () => {
    rig.standIn.secret = 'service';
    rig.standIn.faults.create.push('after-control');
    const call = rig.client({ proxyAuthorization: () => 'service', authorizationInQuery: true });
    await (await call(UPSTREAM)).text();
    const [create, read] = rig.standIn.seen;
    expect(create?.url.searchParams.get('secret')).toBe('service');
    expect(create?.headers.authorization).toBeUndefined();
    expect(read?.url.search + String(read?.headers.authorization)).not.toContain('service');
  });
});

describe('an error response', () => {
  it.each([
    [401, {}],
    [429, { 'retry-after': '7', 'x-ratelimit-remaining-tokens': '0' }],
    [500, { 'x-should-retry': 'false' }],
  ])('is returned unchanged if the provider sent the status %i', async (status, headers) => {
    const body = '{"error":{"message":"from the provider"}}';
    rig.standIn.upstream = () => ({
      status: 502,
      headers: { 'upstream-status': String(status), ...headers },
      body,
    });
    const response = await rig.client()(UPSTREAM, { body: 'x', requestId: 'id' });
    expect(response).toMatchObject({
      status,
      ok: false,
      url: UPSTREAM,
      streamId: undefined,
      wasResumed: false,
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      ...headers,
    });
    expect(response.headers.has('upstream-status')).toBe(false);
    expect(await response.text()).toBe(body);
    expect(await response.outcome).toBe('refused');
    await response.abort();
    expect(rig.states.at(-1)?.status).toBe('failed');
    expect(rig.standIn.seen).toHaveLength(1);
  });

  it.each(['', '7', '200', '999', 'nonsense'])('is a 502 if its Upstream-Status is "%s"', async (status) => {
    rig.standIn.upstream = () => ({ status: 502, headers: { 'upstream-status': status }, body: 'x' });
    expect((await rig.client()(UPSTREAM)).status).toBe(502);
  });

  it('has the status and body of the proxy if the proxy refused the request', async () => {
    const body = '{"error":{"code":"UPSTREAM_NOT_ALLOWED","message":"no"}}';
    rig.standIn.upstream = () => ({ status: 403, body });
    const response = await rig.client()(UPSTREAM);
    expect(response.status).toBe(403);
    expect(await response.text()).toBe(body);
  });

  it('releases the requestId, so that the next call sends a new request', async () => {
    rig.standIn.upstream = () => ({ status: 502, headers: { 'upstream-status': '500' } });
    const call = rig.client();
    expect((await call(UPSTREAM, { body: 'x', requestId: 'id' })).status).toBe(500);
    rig.standIn.upstream = (stream) => void stream.push('now').close();
    const response = await call(UPSTREAM, { body: 'x', requestId: 'id' });
    expect([await response.text(), response.wasResumed]).toEqual(['now', false]);
  });

  it('is not mistaken for an answer if a server other than the proxy sent it', async () => {
    rig.standIn.faults.create.push({ status: 200, headers: { 'content-type': 'text/html' }, body: '<html>' });
    const failure = await rig
      .client({ maxReconnectAttempts: 0 })(UPSTREAM)
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DurableNetworkError);
    expect(failure).toMatchObject({ code: 'INVALID_RESPONSE', status: 200, method: 'GET' });
    expect((failure as DurableNetworkError).message).toContain('proxyUrl');
    expect((failure as DurableNetworkError).url).toBe('https://api.example.com/v1/chat');
  });
});

describe('a listener', () => {
  it('does not affect the answer if it throws', async () => {
    const thrown: unknown[] = [];
    vi.stubGlobal('queueMicrotask', (run: () => void) => {
      try {
        run();
      } catch (error) {
        thrown.push(error);
      }
    });
    const call = rig.client({
      onResumption: () => {
        throw new Error('mine');
      },
    });
    expect(await (await call(UPSTREAM)).text()).toBe('hello');
    expect(thrown[0]).toMatchObject({ message: 'mine' });
  });
});
