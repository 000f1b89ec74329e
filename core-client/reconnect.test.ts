import { describe, expect, it, vi } from 'vitest';
import type { Fault } from '../tests/client/stand-in.ts';
import { drain, UPSTREAM, useRig } from '../tests/client/support.ts';
import { DurableNetworkError } from './errors.ts';
import type { Resumption } from './types.ts';

const rig = useRig();
const POINTS: Fault[] = [
  'before-request',
  'before-answer',
  'mid-headers',
  'after-headers',
  'mid-event',
  'before-control',
  'after-control',
  'clean-end',
];

describe('a body whose connection is cut', () => {
  it.each(POINTS)('continues at the exact offset after a cut %s', async (point) => {
    rig.standIn.upstream = (stream) => void stream.push('one ', 'twö ', 'three').close();
    rig.standIn.faults.create.push('after-control');
    rig.standIn.faults.read.push(point);
    const response = await rig.client()(UPSTREAM, { body: 'x' });
    expect(await drain(response)).toEqual({ text: 'one twö three', error: undefined });
    expect(response.offset).toBe('o00000003');
    expect(rig.standIn.upstreamCalls).toBe(1);
    expect(rig.states.at(-1)).toMatchObject({ status: 'complete', attempt: 0, error: undefined });
    expect(rig.states.map(({ status }) => status)).toContain('reconnecting');
  });

  it('continues at the exact offset after a hundred cuts', async () => {
    const parts = Array.from({ length: 100 }, (_, at) => `${at} `);
    rig.standIn.upstream = (stream) => void stream.push(...parts).close();
    rig.standIn.faults.create.push('after-control');
    rig.standIn.faults.read.push(
      ...parts.flatMap<Fault>(() => ['mid-event', 'after-control', 'before-control']),
    );
    const { text, error } = await drain(
      await rig.client({ maxReconnectAttempts: 3 })(UPSTREAM, { body: 'x' }),
    );
    expect([text, error]).toEqual([parts.join(''), undefined]);
    expect(rig.standIn.upstreamCalls).toBe(1);
    expect(rig.standIn.count('read')).toBeGreaterThan(190);
  });

  it('continues with the cursor that the server sent', async () => {
    rig.standIn.compact = false;
    rig.standIn.faults.create.push('after-control');
    await drain(await rig.client()(UPSTREAM));
    const { searchParams } = rig.standIn.seen.at(-1)!.url;
    expect(Object.fromEntries(searchParams)).toMatchObject({ offset: 'o00000001', live: 'sse', cursor: '7' });
  });

  it('continues immediately, without counting an attempt, if the server ended a read with data', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    rig.standIn.upstream = (stream) => void stream.push(...'abcdefgh').close();
    rig.standIn.faults.create.push('clean-end');
    rig.standIn.faults.read.push(...Array<Fault>(7).fill('clean-end'));
    const { text } = await drain(await rig.client({ maxReconnectAttempts: 0 })(UPSTREAM));
    expect(text).toBe('abcdefgh');
    expect(rig.states.every(({ attempt }) => attempt === 0)).toBe(true);
  });
});

describe('an intermediary', () => {
  it('costs no attempts if it cuts every connection with an error while bytes arrive', async () => {
    rig.standIn.upstream = (stream) => void stream.push(...'abcdefgh').close();
    rig.standIn.faults.create.push('after-control');
    rig.standIn.faults.read.push(...Array<Fault>(7).fill('after-control'));
    const response = await rig.client({ maxReconnectAttempts: 0 })(UPSTREAM);
    expect(await drain(response)).toEqual({ text: 'abcdefgh', error: undefined });
  });

  it('[CLIENT-11] does not affect the bytes if it removes the encoding header', async () => {
    rig.standIn.stripsEncoding = true;
    rig.standIn.compact = false;
    rig.standIn.faults.create.push('after-control');
    rig.standIn.upstream = (stream) => void stream.push('one ', 'twö ', 'three').close();
    expect((await drain(await rig.client()(UPSTREAM))).text).toBe('one twö three');
  });

  it('[CLIENT-10] makes the client use long-poll after two connections without a byte if it buffers SSE', async () => {
    rig.standIn.buffers = true;
    rig.standIn.upstream = (stream) => void stream.push('one ', 'two ');
    const call = rig.client({ heartbeatTimeoutMs: 50 });
    const reader = (await call(UPSTREAM, { body: 'x' })).body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('one two ');
    const modes = () => rig.standIn.seen.map(({ url }) => url.searchParams.get('live'));
    expect(modes()).toEqual([null, 'sse', 'long-poll']);
    const [stream] = rig.standIn.streams.values();
    stream?.push('three');
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('three');
    stream?.close();
    expect((await reader.read()).done).toBe(true);
    expect(rig.states.at(-1)).toMatchObject({ status: 'complete', outcome: 'complete' });

    // The next answer of this client starts with long-poll. SSE is tried again later.
    const before = rig.standIn.seen.length;
    rig.standIn.upstream = (next) => void next.push('more').close();
    expect(await (await call(UPSTREAM, { body: 'y' })).text()).toBe('more');
    expect(modes().slice(before)).toEqual([null, 'long-poll']);
    rig.standIn.buffers = false;
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime(Date.now() + 300_001);
    expect(await (await call(UPSTREAM, { body: 'z' })).text()).toBe('more');
    vi.useRealTimers();
    expect(modes().slice(before)).toEqual([null, 'long-poll', null]);
  });

  describe('while the client uses long-poll', () => {
    const begin = async () => {
      rig.standIn.buffers = true;
      rig.standIn.upstream = (stream) => void stream.push('one ');
      const response = await rig.client({ heartbeatTimeoutMs: 50 })(UPSTREAM, { body: 'x', requestId: 'id' });
      const reader = response.body!.getReader();
      await reader.read();
      return { reader, stream: [...rig.standIn.streams.values()][0]! };
    };

    it('[CLIENT-6] renews an expired URL', async () => {
      const { reader, stream } = await begin();
      rig.standIn.urlVersion = 2;
      stream.push('two ');
      expect(new TextDecoder().decode((await reader.read()).value)).toBe('two ');
      stream.close();
      expect((await reader.read()).done).toBe(true);
      expect(rig.standIn.count('find')).toBe(1);
    });

    it('reports a deleted stream at once', async () => {
      const { reader } = await begin();
      rig.standIn.streams.clear();
      await expect(reader.read()).rejects.toMatchObject({
        name: 'DurableStreamError',
        code: 'STREAM_NOT_FOUND',
      });
      expect(rig.states.at(-1)?.status).toBe('expired');
    });
  });
});

describe('a body that cannot continue', () => {
  it('fails after maxReconnectAttempts without progress, with the bytes so far and a typed error', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some ');
    rig.standIn.faults.create.push('after-control');
    rig.standIn.faults.read.push(...Array<Fault>(9).fill('before-answer'));
    const response = await rig.client({ maxReconnectAttempts: 3 })(UPSTREAM, { body: 'x' });
    const { text, error } = await drain(response);
    expect(text).toBe('some ');
    expect(error).toBeInstanceOf(DurableNetworkError);
    expect(error).toMatchObject({
      code: 'NETWORK_ERROR',
      method: 'POST',
      url: 'https://api.example.com/v1/chat',
    });
    expect((error as Error).cause).toBeInstanceOf(TypeError);
    // The first reconnect follows a connection that brought bytes, so it does not count as an attempt.
    expect(rig.standIn.count('read')).toBe(4);
    expect(rig.states.at(-1)).toMatchObject({ status: 'failed', error, offset: 'o00000001' });
    expect(await response.outcome).toBe('interrupted');
  });

  it('fails after the same number of attempts on a server that responds without data', async () => {
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push(...Array<Fault>(100).fill('empty-end'));
    const { error } = await drain(await rig.client({ maxReconnectAttempts: 4 })(UPSTREAM));
    expect(error).toBeInstanceOf(DurableNetworkError);
    expect(rig.standIn.count('read')).toBe(4);
  });

  it('fails after reconnectTimeoutMs without progress', async () => {
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push(...Array<Fault>(1000).fill('before-answer'));
    const start = Date.now();
    const { error } = await drain(await rig.client({ reconnectTimeoutMs: 150 })(UPSTREAM));
    expect(error).toBeInstanceOf(DurableNetworkError);
    expect(Date.now() - start).toBeGreaterThanOrEqual(150);
    expect(Date.now() - start).toBeLessThan(3000);
  });

  it('fails after retryTimeoutMs if the proxy cannot be reached', async () => {
    const { url } = rig.standIn;
    await rig.standIn.stop();
    const failure = await rig
      .client({ proxyUrl: url, retryTimeoutMs: 100 })(UPSTREAM, { body: 'x' })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DurableNetworkError);
    const { attempt } = rig.states.at(-1)!;
    expect(rig.states.map((state) => [state.status, state.attempt])).toEqual([
      ['creating', 0],
      ...Array.from({ length: attempt }, (_, at) => ['reconnecting', at + 1]),
      ['failed', attempt],
    ]);
  });

  it.each([
    [403, 'UPSTREAM_NOT_ALLOWED'],
    [400, 'INVALID_OFFSET'],
  ])('fails immediately if the proxy refuses permanently: %i', async (status, code) => {
    rig.standIn.faults.create.push('after-control');
    rig.standIn.faults.read.push({ status, body: JSON.stringify({ error: { code, message: 'no' } }) });
    const { text, error } = await drain(await rig.client()(UPSTREAM));
    expect(text).toBe('hello');
    expect(error).toMatchObject({ name: 'DurableStreamError', code, status, message: 'no' });
    expect(rig.states.at(-1)?.status).toBe('failed');
  });

  it('fails as expired if the stream was deleted', async () => {
    rig.standIn.faults.create.push('after-control');
    const response = await rig.client()(UPSTREAM, { requestId: 'id' });
    rig.standIn.streams.clear();
    const { error } = await drain(response);
    expect(error).toMatchObject({ code: 'STREAM_NOT_FOUND', status: 404 });
    expect(rig.states.at(-1)?.status).toBe('expired');
  });
});

describe('the wait before an attempt', () => {
  it('is as long as Retry-After, then the body continues', async () => {
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push({ status: 503, headers: { 'retry-after': '1' } });
    const start = Date.now();
    expect((await drain(await rig.client()(UPSTREAM))).text).toBe('hello');
    expect(Date.now() - start).toBeGreaterThanOrEqual(1000);
    expect(rig.standIn.count('read')).toBe(2);
  });

  it('does not start if Retry-After is longer than the remaining time', async () => {
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push({ status: 429, headers: { 'retry-after': '900' } });
    const { error } = await drain(await rig.client()(UPSTREAM));
    expect(error).toBeInstanceOf(DurableNetworkError);
    expect((error as Error).cause).toMatchObject({ status: 429, retryAfterMs: 900_000 });
  });

  const usePage = () => {
    const page = new EventTarget();
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    return () => setTimeout(() => page.dispatchEvent(new Event('online')));
  };

  it('ends immediately when the network is back', async () => {
    const comeBack = usePage();
    // Delays of minutes, from the first attempt on.
    vi.spyOn(Math, 'random').mockReturnValue(1_000);
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push(...Array<Fault>(5).fill('before-request'));
    const onResumption = ({ status, attempt }: Resumption) => {
      if (status === 'reconnecting' && attempt > 0) comeBack();
    };
    expect((await drain(await rig.client({ onResumption })(UPSTREAM))).text).toBe('hello');
    expect(rig.standIn.faults.read).toHaveLength(0);
  });

  it('works with a source of wake events that reports one while it is subscribed to', async () => {
    const unsubscribe = vi.fn();
    const wake = (onWake: () => void) => {
      onWake();
      return unsubscribe;
    };
    const response = await rig.client({ wake })(UPSTREAM, { body: 'x' });
    expect(await drain(response)).toEqual({ text: 'hello', error: undefined });
    expect(unsubscribe).toHaveBeenCalledOnce();
  });

  it('ends immediately when the option wake reports an event', async () => {
    const listeners = new Set<() => void>();
    vi.spyOn(Math, 'random').mockReturnValue(1_000);
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push(...Array<Fault>(5).fill('before-request'));
    const call = rig.client({
      wake(onWake) {
        listeners.add(onWake);
        return () => void listeners.delete(onWake);
      },
      onResumption({ status, attempt }) {
        if (status === 'reconnecting' && attempt > 0)
          setTimeout(() => listeners.forEach((onWake) => onWake()));
      },
    });
    const response = await call(UPSTREAM);
    expect(listeners.size).toBe(1);
    expect((await drain(response)).text).toBe('hello');
    expect(rig.standIn.faults.read).toHaveLength(0);
    expect(listeners.size).toBe(0);
  });

  it('is not shortened if the proxy sent Retry-After', async () => {
    const comeBack = usePage();
    rig.standIn.faults.create.push('after-headers');
    rig.standIn.faults.read.push({ status: 503, headers: { 'retry-after': '1' } });
    const onResumption = ({ status }: Resumption) => {
      if (status === 'reconnecting') comeBack();
    };
    const start = Date.now();
    expect((await drain(await rig.client({ onResumption })(UPSTREAM))).text).toBe('hello');
    expect(Date.now() - start).toBeGreaterThanOrEqual(1000);
  });

  it('ends when the page wakes: a connection that died during its sleep is reopened', async () => {
    const comeBack = usePage();
    vi.useFakeTimers({ toFake: ['Date'] });
    rig.standIn.faults.create.push('silence');
    const reading = drain(await rig.client()(UPSTREAM));
    await new Promise((resolve) => setImmediate(resolve));
    vi.setSystemTime(Date.now() + 3_600_000);
    comeBack();
    expect((await reading).text).toBe('hello');
    vi.useRealTimers();
  });

  it('follows a connection that is silent for heartbeatTimeoutMs', async () => {
    rig.standIn.faults.create.push('silence');
    rig.standIn.faults.read.push('no-answer', 'silence');
    const response = await rig.client({ heartbeatTimeoutMs: 200 })(UPSTREAM);
    expect((await drain(response)).text).toBe('hello');
    expect(rig.standIn.count('read')).toBe(3);
  });
});

describe('an expired URL', () => {
  const cutAndExpire = async (init: object, options = {}) => {
    rig.standIn.upstream = (stream) => void stream.push('one ', 'two').close();
    rig.standIn.faults.create.push('after-control');
    const response = await rig.client(options)(UPSTREAM, { body: 'x', ...init });
    rig.standIn.urlVersion = 2;
    return response;
  };

  it('is renewed by the name of the stream', async () => {
    const response = await cutAndExpire({ requestId: 'id' });
    expect(await drain(response)).toEqual({ text: 'one two', error: undefined });
    expect([rig.standIn.count('find'), rig.standIn.count('create')]).toEqual([1, 1]);
    expect(response.streamUrl).toContain('expires=2');
  });

  it('is renewed by the same POST if the stream has no name', async () => {
    const response = await cutAndExpire({});
    expect(await drain(response)).toEqual({ text: 'one two', error: undefined });
    expect([rig.standIn.count('create'), rig.standIn.upstreamCalls]).toEqual([2, 1]);
    expect(rig.standIn.seen.at(-2)?.headers.prefer).toBe('respond-async');
  });

  it('is renewed by the same POST if a newer answer has the name', async () => {
    const response = await cutAndExpire({ streamKey: 'chat' });
    await drain(await rig.client()(UPSTREAM, { body: 'y', streamKey: 'chat' }));
    expect((await drain(response)).text).toBe('one two');
    expect(rig.standIn.upstreamCalls).toBe(2);
  });

  it('ends the body as expired if it cannot be renewed', async () => {
    rig.standIn.secret = 'service';
    let secret = 'service';
    const response = await cutAndExpire({ requestId: 'id' }, { proxyAuthorization: () => secret });
    secret = 'revoked';
    const { text, error } = await drain(response);
    expect(text).toBe('one ');
    expect(error).toMatchObject({ code: 'SIGNATURE_EXPIRED', status: 401 });
    expect(rig.states.at(-1)?.status).toBe('expired');
  });

  it('does not lead to a second answer: one that a renewal started by mistake is stopped', async () => {
    const response = await cutAndExpire({});
    rig.standIn.forget();
    rig.standIn.upstream = (stream) => void stream.push('another');
    const { text, error } = await drain(response);
    expect([text, error]).toEqual(['one ', expect.objectContaining({ code: 'SIGNATURE_EXPIRED' })]);
    await rig.standIn.until(() => rig.standIn.count('abort') === 1);
    expect([...rig.standIn.streams.values()].at(-1)?.end?.outcome).toBe('aborted');
  });
});
