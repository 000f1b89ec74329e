import { describe, expect, it } from 'vitest';
import type { Fault } from '../tests/client/stand-in.ts';
import { drain, UPSTREAM, useRig } from '../tests/client/support.ts';
import { MemoryStorage } from './storage.ts';
import type { StorageLike } from './types.ts';

const rig = useRig();
const CALL = { body: '{"q":1}', requestId: 'chat-1' };
const POINTS: Fault[] = [
  'before-request',
  'before-answer',
  'mid-headers',
  'after-headers',
  'mid-event',
  'before-control',
];

/** The same storage behind promises. */
function asAsync(storage: MemoryStorage): StorageLike {
  return {
    getItem: async (key) => storage.getItem(key),
    setItem: async (key, value) => storage.setItem(key, value),
    removeItem: async (key) => storage.removeItem(key),
  };
}

describe('one upstream call, wherever the exchange is cut', () => {
  it.each(POINTS)('within a call: %s', async (point) => {
    rig.standIn.faults.create.push(point, point, point);
    const response = await rig.client()(UPSTREAM, { body: 'x' });
    expect(await drain(response)).toEqual({ text: 'hello', error: undefined });
    expect(rig.standIn.upstreamCalls).toBe(1);
    expect(response.wasResumed).toBe(false);
  });

  it.each(POINTS)('by a page that died at that point, and another after it: %s', async (point) => {
    const storage = new MemoryStorage();
    const death = new AbortController();
    rig.standIn.faults.create.push(point);
    rig.standIn.upstream = (stream) => void stream.push('hello').close();
    // A page that dies runs no more code: its requests end, and nothing is tidied up.
    const dying = rig.client({
      storage,
      fetch: (url, init) => (death.signal.aborted ? new Promise(() => {}) : fetch(url, init)),
    });
    void dying(UPSTREAM, CALL).then(
      (response) => response.text(),
      () => {},
    );
    await rig.standIn.until(() =>
      point === 'before-request' ? rig.standIn.faults.create.length === 0 : rig.standIn.upstreamCalls === 1,
    );
    death.abort();
    const response = await rig.client({ storage })(UPSTREAM, CALL);
    expect(await response.text()).toBe('hello');
    expect(response.wasResumed).toBe(true);
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('by calls at once, in one tab and in two, with a storage of any kind', async () => {
    rig.standIn.upstream = async (stream) => {
      await rig.standIn.until(() => rig.standIn.count('create') >= 3);
      stream.push('hello').close();
    };
    const storage = new MemoryStorage();
    const tabs = [rig.client({ storage }), rig.client({ storage }), rig.client({ storage })];
    const responses = await Promise.all([...tabs, ...tabs].map((tab) => tab(UPSTREAM, CALL)));
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(Array(6).fill('hello'));
    expect(rig.standIn.upstreamCalls).toBe(1);

    const slow = new MemoryStorage();
    const others = [1, 2].map(() => rig.client({ storage: asAsync(slow) })(UPSTREAM, CALL));
    await Promise.all((await Promise.all(others)).map((response) => response.text()));
    expect(rig.standIn.upstreamCalls).toBe(2);
  });

  it('not again by a POST whose answer got lost on a server that knows no keys', async () => {
    rig.standIn.extensions = false;
    const call = rig.client();
    await (await call(UPSTREAM, { body: 'learns' })).text();
    rig.standIn.faults.create.push('before-answer');
    await expect(call(UPSTREAM, { body: 'lost' })).rejects.toMatchObject({ name: 'DurableNetworkError' });
    expect(rig.standIn.upstreamCalls).toBe(2);
  });
});

describe('which answer a requestId gives', () => {
  it('to another body: a new one', async () => {
    rig.standIn.upstream = (stream, { body }) => void stream.push(`answer to ${body} `);
    const call = rig.client();
    const first = await call(UPSTREAM, { body: 'a', requestId: 'id' });
    const second = await call(UPSTREAM, { body: 'b', requestId: 'id' });
    expect([first.wasResumed, second.wasResumed, rig.standIn.upstreamCalls]).toEqual([false, false, 2]);
    for (const stream of rig.standIn.streams.values()) stream.close();
    expect(await Promise.all([first.text(), second.text()])).toEqual(['answer to a ', 'answer to b ']);
  });

  it('to the same body while it is unfinished: the same one, from its beginning, wherever the page was', async () => {
    rig.standIn.upstream = (stream) => void stream.push('one ', 'two ');
    const storage = new MemoryStorage();
    const first = await rig.client({ storage })(UPSTREAM, CALL);
    const reader = first.body!.getReader();
    await reader.read();
    const second = await rig.client({ storage })(UPSTREAM, CALL);
    expect(second).toMatchObject({ wasResumed: true, streamId: first.streamId });
    expect(second.headers.get('content-type')).toBe('text/event-stream');
    [...rig.standIn.streams.values()][0]?.push('three').close();
    expect(await second.text()).toBe('one two three');
    expect([rig.standIn.upstreamCalls, rig.standIn.count('create')]).toEqual([1, 1]);
  });

  it('to the same body, with resumeFrom "offset": the rest, exactly', async () => {
    rig.standIn.upstream = (stream) => void stream.push('one ', 'two ');
    const storage = new MemoryStorage();
    const reader = (await rig.client({ storage })(UPSTREAM, CALL)).body!.getReader();
    await reader.read();
    [...rig.standIn.streams.values()][0]?.push('three').close();
    const rest = await rig.client({ storage, resumeFrom: 'offset' })(UPSTREAM, CALL);
    expect(await rest.text()).toBe('two three');
  });

  it.each(['sync', 'async'])('to the same body once it was read to its end: a new one (%s)', async (kind) => {
    const memory = new MemoryStorage();
    const storage = kind === 'sync' ? memory : asAsync(memory);
    let count = 0;
    rig.standIn.upstream = (stream) => void stream.push(`answer ${++count}`).close();
    for (const expected of ['answer 1', 'answer 2', 'answer 3']) {
      const response = await rig.client({ storage })(UPSTREAM, CALL);
      expect([await response.text(), response.wasResumed]).toEqual([expected, false]);
      expect([...memory.keys()].map((key) => memory.getItem(key)).join()).not.toContain('signature');
    }
  });

  it('with autoResume off: a new one each time', async () => {
    rig.standIn.upstream = (stream) => void stream.push('x');
    const call = rig.client({ autoResume: false });
    const responses = [await call(UPSTREAM, CALL), await call(UPSTREAM, CALL)];
    expect(responses.map(({ wasResumed }) => wasResumed)).toEqual([false, false]);
    expect(rig.standIn.upstreamCalls).toBe(2);
  });

  it('when the stream is gone: a new one, once for all who ask', async () => {
    rig.standIn.upstream = (stream) => void stream.push('new').close();
    const storage = new MemoryStorage();
    await rig.client({ storage })(UPSTREAM, CALL);
    rig.standIn.streams.clear();
    rig.standIn.forget();
    const responses = await Promise.all([1, 2].map(() => rig.client({ storage })(UPSTREAM, CALL)));
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(['new', 'new']);
    expect(rig.standIn.upstreamCalls).toBe(2);
  });

  it('when the URL has expired: the same one, by its name or by its key', async () => {
    rig.standIn.upstream = (stream) => void stream.push('same').close();
    const storage = new MemoryStorage();
    const first = await rig.client({ storage })(UPSTREAM, CALL);
    rig.standIn.epoch = 2;
    const second = await rig.client({ storage })(UPSTREAM, CALL);
    expect(second).toMatchObject({ wasResumed: true, streamId: first.streamId });
    rig.standIn.epoch = 3;
    rig.standIn.faults.find.push({ status: 404 });
    const third = await rig.client({ storage })(UPSTREAM, CALL);
    expect(third).toMatchObject({ wasResumed: true, streamId: first.streamId });
    expect(await third.text()).toBe('same');
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('with a key of the caller’s own: the one under that key', async () => {
    const headers = { 'Idempotency-Key': 'order-7' };
    const call = rig.client();
    const [first, second] = [
      await call(UPSTREAM, { body: 'x', headers }),
      await call(UPSTREAM, { body: 'x', headers }),
    ];
    expect(second).toMatchObject({ streamId: first.streamId, wasResumed: true });
    expect(rig.standIn.seen.map((request) => request.headers['idempotency-key'])).toEqual([
      'order-7',
      'order-7',
    ]);
  });

  it('stays the same when only the caller’s token was renewed', async () => {
    rig.standIn.upstream = (stream) => void stream.push('x');
    const call = rig.client();
    for (const authorization of ['Bearer a', 'Bearer b'])
      await call(UPSTREAM, { ...CALL, headers: { authorization } });
    expect(rig.standIn.upstreamCalls).toBe(1);
  });
});

describe('resume', () => {
  it('gives null where nothing is known, without a POST', async () => {
    expect(await rig.client().resume('nobody')).toBeNull();
    rig.standIn.noneStatus = 404;
    expect(await rig.client().resume('nobody')).toBeNull();
    rig.standIn.extensions = false;
    expect(await rig.client().resume('nobody')).toBeNull();
    expect(rig.standIn.count('create')).toBe(0);
    expect(rig.states.every(({ status }) => status === 'idle')).toBe(true);
  });

  it('attaches to an unfinished answer without the request', async () => {
    const storage = new MemoryStorage();
    rig.standIn.upstream = (stream) => void stream.push('one ').close();
    const first = await rig.client({ storage })(UPSTREAM, CALL);
    const response = await rig.client({ storage }).resume('chat-1');
    expect(response).toMatchObject({ wasResumed: true, streamId: first.streamId, status: 200 });
    expect(await response?.text()).toBe('one ');
    expect(await rig.client({ storage }).resume('chat-1')).toBeNull();
    expect(rig.standIn.count('create')).toBe(1);
  });

  it('finds by its name what a page began that died before the answer', async () => {
    const storage = new MemoryStorage();
    rig.standIn.faults.create.push('before-answer');
    const dying = rig.client({ storage, maxReconnectAttempts: 0 })(UPSTREAM, CALL);
    await expect(dying).rejects.toMatchObject({ name: 'DurableNetworkError' });
    expect(await (await rig.client({ storage }).resume('chat-1'))?.text()).toBe('hello');
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('does not take an older answer for one whose POST never reached the proxy', async () => {
    const storage = new MemoryStorage();
    rig.standIn.upstream = (stream) => void stream.push('older');
    await rig.client({ storage })(UPSTREAM, { ...CALL, body: 'older' });
    rig.standIn.faults.create.push('before-request');
    const lost = rig.client({ storage, maxReconnectAttempts: 0 })(UPSTREAM, CALL);
    await expect(lost).rejects.toMatchObject({ name: 'DurableNetworkError' });
    expect(await rig.client({ storage }).resume('chat-1')).toBeNull();
    rig.standIn.upstream = (stream) => void stream.push('newer').close();
    expect(await (await rig.client({ storage })(UPSTREAM, CALL)).text()).toBe('newer');
  });

  it('joins what another device began while it runs, and leaves alone what is over', async () => {
    rig.standIn.upstream = (stream) => void stream.push('one ');
    await rig.client()(UPSTREAM, CALL);
    const joined = await rig.client().resume('chat-1');
    const [stream] = rig.standIn.streams.values();
    stream?.push('two').close();
    expect(joined?.wasResumed).toBe(true);
    expect(await joined?.text()).toBe('one two');
    expect(await rig.client().resume('chat-1')).toBeNull();
  });

  it('gives what is over to who asks for that very stream, and no other', async () => {
    const storage = new MemoryStorage();
    const first = await rig.client({ storage })(UPSTREAM, CALL);
    expect(await first.text()).toBe('hello');
    const { streamId } = first;
    for (const client of [rig.client({ storage }), rig.client()]) {
      expect(await (await client.resume('chat-1', { streamId }))?.text()).toBe('hello');
      expect(await client.resume('chat-1', { streamId: crypto.randomUUID() })).toBeNull();
    }
  });

  it('gives null for a stream that is gone, and forgets it', async () => {
    const storage = new MemoryStorage();
    await rig.client({ storage })(UPSTREAM, CALL);
    rig.standIn.streams.clear();
    rig.standIn.forget();
    expect(await rig.client({ storage }).resume('chat-1')).toBeNull();
    expect([...storage.keys()]).toEqual([]);
  });

  it('waits for the network like every other call, and says so when it gives up', async () => {
    rig.standIn.faults.find.push('before-request', { status: 503 }, 'mid-headers');
    expect(await rig.client().resume('chat-1')).toBeNull();
    rig.standIn.faults.find.push(...Array<Fault>(5_000).fill('before-request'));
    await expect(rig.client({ retryTimeoutMs: 100 }).resume('chat-1')).rejects.toMatchObject({
      name: 'DurableNetworkError',
    });
  });

  it('is left by its signal', async () => {
    const controller = new AbortController();
    rig.standIn.faults.find.push('no-answer');
    const resuming = rig.client().resume('chat-1', { signal: controller.signal });
    await rig.standIn.until(() => rig.standIn.count('find') === 1);
    controller.abort();
    await expect(resuming).rejects.toMatchObject({ name: 'AbortError' });
  });
});
