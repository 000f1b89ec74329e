import { describe, expect, it, vi } from 'vitest';
import type { Fault } from '../tests/client/stand-in.ts';
import { drain, UPSTREAM, useRig } from '../tests/client/support.ts';
import { createAbortFn } from './abort.ts';
import { MemoryStorage } from './storage.ts';

const rig = useRig();
const begin = async (init = {}, options = {}) => {
  rig.standIn.upstream = (stream) => void stream.push('some ');
  const response = await rig.client(options)(UPSTREAM, { body: 'x', ...init });
  return { response, stream: [...rig.standIn.streams.values()][0]! };
};

describe('response.abort', () => {
  it('stops the upstream and ends the body with an AbortError after its last byte', async () => {
    const { response, stream } = await begin();
    const [{ text, error }] = await Promise.all([drain(response), response.abort(), response.abort()]);
    expect(text).toBe('some ');
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(stream.end?.outcome).toBe('aborted');
    expect(await response.outcome).toBe('aborted');
    expect(rig.states.at(-1)).toMatchObject({ status: 'aborted', outcome: 'aborted', error: undefined });
    await response.abort();
    expect(rig.standIn.count('abort')).toBe(1);
  });

  it('cancels the read without reporting a lost connection', async () => {
    const { response } = await begin();
    const reading = drain(response);
    await rig.standIn.until(() => rig.standIn.readers === 1);
    await response.abort();
    expect((await reading).error).toMatchObject({ name: 'AbortError' });
    expect(rig.states.map(({ status }) => status)).not.toContain('reconnecting');
    expect(rig.standIn.count('read')).toBe(1);
  });

  it('cancels a read without a response, and does not count it as a failed attempt', async () => {
    rig.standIn.faults.create.push('clean-end');
    rig.standIn.faults.read.push('no-answer');
    const { response } = await begin({ maxReconnectAttempts: 0 });
    const reading = drain(response);
    await rig.standIn.until(() => rig.standIn.count('read') === 1);
    await response.abort();
    expect((await reading).error).toMatchObject({ name: 'AbortError' });
  });

  it('leaves nothing to resume, even if the body is not read to its end', async () => {
    const storage = new MemoryStorage();
    const { response } = await begin({ requestId: 'id' }, { storage });
    await response.body?.cancel();
    await response.abort();
    expect([...storage.keys()]).toEqual([]);
    expect(await rig.client({ storage }).resume('id')).toBeNull();
    expect(rig.states.map(({ status }) => status)).toContain('aborted');
  });

  it.each<Fault>(['before-request', 'before-answer', 'mid-headers', { status: 503 }])(
    'is retried if it fails: %j',
    async (fault) => {
      const { response, stream } = await begin();
      rig.standIn.faults.abort.push(fault, fault);
      await response.abort();
      expect(stream.end?.outcome).toBe('aborted');
    },
  );

  it('rejects if the stop fails, and can be called again', async () => {
    const { response, stream } = await begin({ retryTimeoutMs: 100 });
    rig.standIn.faults.abort.push(...Array<Fault>(5_000).fill('before-request'));
    await expect(response.abort()).rejects.toMatchObject({ name: 'DurableNetworkError', method: 'POST' });
    expect(stream.end).toBeUndefined();
    rig.standIn.faults.abort.splice(0, Infinity, {
      status: 403,
      body: '{"error":{"code":"SIGNATURE_INVALID","message":"no"}}',
    });
    await expect(response.abort()).rejects.toMatchObject({ code: 'SIGNATURE_INVALID', status: 403 });
    await response.abort();
    expect(stream.end?.outcome).toBe('aborted');
  });

  it.each([
    [404, '<html>not found</html>'],
    [401, '{"error":"log in"}'],
    [200, '<html>welcome</html>'],
  ])('rejects if a server other than the proxy responds %i', async (status, body) => {
    const { response, stream } = await begin({ retryTimeoutMs: 100 });
    rig.standIn.faults.abort.push(...Array<Fault>(5_000).fill({ status, body }));
    await expect(response.abort()).rejects.toMatchObject({
      name: 'DurableNetworkError',
      code: 'INVALID_RESPONSE',
      status,
    });
    expect(stream.end).toBeUndefined();
  });

  it('renews an expired URL', async () => {
    const { response, stream } = await begin({ requestId: 'id' });
    rig.standIn.urlVersion = 2;
    await response.abort();
    expect(stream.end?.outcome).toBe('aborted');
    expect(rig.standIn.count('find')).toBe(1);
  });

  it('ends the body with an ABORTED error if another client calls it', async () => {
    const { response, stream } = await begin();
    stream.close('aborted', { code: 'ABORTED', message: 'The answer was stopped' });
    expect((await drain(response)).error).toMatchObject({
      name: 'DurableStreamError',
      code: 'ABORTED',
      outcome: 'aborted',
    });
  });
});

describe('abort of a request id', () => {
  it('waits for a request that is being sent, until it fails', async () => {
    const tokens = [new Promise<string>(() => undefined), 'token'];
    const client = rig.client({ proxyAuthorization: () => tokens.shift()! });
    const controller = new AbortController();
    const sent = client(UPSTREAM, { body: 'y', requestId: 'id', signal: controller.signal });
    await vi.waitFor(() => expect(tokens).toHaveLength(1));
    const aborted = client.abort('id');
    controller.abort();
    await expect(sent).rejects.toMatchObject({ name: 'AbortError' });
    expect(await aborted).toBe(false);
  });
});

describe('abortUpstream', () => {
  it('stops the upstream if the signal is aborted', async () => {
    const controller = new AbortController();
    const { response, stream } = await begin({ signal: controller.signal, abortUpstream: true });
    controller.abort();
    await expect(response.text()).rejects.toMatchObject({ name: 'AbortError' });
    await rig.standIn.until(() => stream.end?.outcome === 'aborted');
    expect(rig.states.at(-1)?.status).toBe('aborted');
  });

  it('stops the upstream if the body is canceled', async () => {
    const { response, stream } = await begin({}, { abortUpstream: true });
    await response.body?.cancel();
    await rig.standIn.until(() => stream.end?.outcome === 'aborted');
  });

  it('stops an upstream that has not responded yet, and rejects immediately', async () => {
    const controller = new AbortController();
    let answer: (() => void) | undefined;
    rig.standIn.upstream = async (stream) => {
      await new Promise<void>((resolve) => (answer = resolve));
      stream.push('late');
    };
    const call = rig.client({ abortUpstream: true })(UPSTREAM, { body: 'x', signal: controller.signal });
    await rig.standIn.until(() => rig.standIn.upstreamCalls === 1);
    controller.abort(new Error('mine'));
    await expect(call).rejects.toThrow('mine');
    expect(rig.states.at(-1)?.status).toBe('aborted');
    answer?.();
    await rig.standIn.until(() => [...rig.standIn.streams.values()][0]?.end?.outcome === 'aborted');
    await rig.standIn.until(() => rig.standIn.readers === 0);
  });

  it('sends no request if the signal aborts while the client waits for a token', async () => {
    const controller = new AbortController();
    let provide!: (token: string) => void;
    const token = new Promise<string>((resolve) => (provide = resolve));
    const proxyAuthorization = vi.fn(() => token);
    const storage = new MemoryStorage();
    const client = rig.client({ abortUpstream: true, proxyAuthorization, storage });
    const init = { body: 'x', requestId: 'id', signal: controller.signal };
    const call = client(UPSTREAM, init);
    const released = new Promise<void>((resolve) => (storage.removeItem = () => resolve()));
    await vi.waitFor(() => expect(proxyAuthorization).toHaveBeenCalled());
    controller.abort();
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    provide('token');
    await released;
    expect(rig.standIn.seen).toEqual([]);
  });

  it('frees the connection of an error response that arrives after the signal was aborted', async () => {
    const controller = new AbortController();
    let arrive!: (response: Response) => void;
    const late = new Promise<Response>((resolve) => (arrive = resolve));
    const own: typeof fetch = async (url, init) => {
      const response = await fetch(url, init);
      arrive(response);
      return response;
    };
    rig.standIn.upstream = async () => {
      controller.abort();
      return { status: 403, body: 'x'.repeat(1_000) };
    };
    const call = rig.client({ abortUpstream: true, fetch: own })(UPSTREAM, { signal: controller.signal });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    const response = await late;
    // The client reads the complete body of an error, which frees the connection.
    await vi.waitFor(() => expect(response.bodyUsed).toBe(true));
  });

  it('does not send a stop for a finished answer, except by abort()', async () => {
    const controller = new AbortController();
    const call = rig.client({ abortUpstream: true });
    const response = await call(UPSTREAM, { body: 'x', signal: controller.signal });
    expect(await response.text()).toBe('hello');
    controller.abort();
    await response.abort();
    expect(rig.standIn.count('abort')).toBe(1);
    expect(rig.states.at(-1)?.status).toBe('complete');
  });

  it('warns if the stop failed', async () => {
    const warned = new Promise<Error>((resolve) => {
      const options = { abortUpstream: true, onWarning: resolve, retryTimeoutMs: 100 };
      void begin({}, options).then(({ response }) => {
        rig.standIn.faults.abort.push(...Array<Fault>(5_000).fill('before-request'));
        return response.body?.cancel();
      });
    });
    expect(await warned).toMatchObject({ name: 'DurableNetworkError' });
  });
});

describe('createAbortFn', () => {
  it('stops the upstream by its URL alone, and can be called repeatedly', async () => {
    const { response, stream } = await begin();
    const abort = createAbortFn(response.streamUrl!);
    await Promise.all([abort(), abort()]);
    await abort();
    expect(stream.end?.outcome).toBe('aborted');
    expect(rig.standIn.count('abort')).toBe(1);
    expect(rig.standIn.seen.at(-1)?.url.search).toBe('?expires=1&signature=s&action=abort');
  });

  it('uses the given fetch, and resolves if the stream does not exist', async () => {
    const { response } = await begin();
    rig.standIn.streams.clear();
    const given = vi.fn(fetch);
    await createAbortFn(response.streamUrl!, given)();
    expect(given).toHaveBeenCalledTimes(1);
  });

  it('rejects with an error that does not contain the signature', async () => {
    const { response } = await begin();
    rig.standIn.urlVersion = 2;
    const failure = await createAbortFn(response.streamUrl!)().catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({ code: 'SIGNATURE_EXPIRED', status: 401, method: 'PATCH' });
    expect(JSON.stringify({ ...(failure as Error) })).not.toContain('signature=');
  });
});
