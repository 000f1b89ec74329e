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

/** Wraps a storage in an asynchronous one. */
function asAsync(storage: MemoryStorage): StorageLike {
  return {
    getItem: async (key) => storage.getItem(key),
    setItem: async (key, value) => storage.setItem(key, value),
    removeItem: async (key) => storage.removeItem(key),
  };
}

describe('the upstream', () => {
  it.each(POINTS)('is called once if the connection of a call is cut: %s', async (point) => {
    rig.standIn.faults.create.push(point, point, point);
    const response = await rig.client()(UPSTREAM, { body: 'x' });
    expect(await drain(response)).toEqual({ text: 'hello', error: undefined });
    expect(rig.standIn.upstreamCalls).toBe(1);
    expect(response.wasResumed).toBe(false);
  });

  it.each(POINTS)(
    'is called once if a page crashes and the next page sends the same request: %s',
    async (point) => {
      const storage = new MemoryStorage();
      const death = new AbortController();
      rig.standIn.faults.create.push(point);
      rig.standIn.upstream = (stream) => void stream.push('hello').close();
      // A crashed page runs no more code: its requests end without any clean-up.
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
    },
  );

  it('is called once by simultaneous calls in one tab and in two, with any kind of storage', async () => {
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

  it('is called once if the response to a POST is lost on a server that ignores keys', async () => {
    rig.standIn.extensions = false;
    const call = rig.client();
    await (await call(UPSTREAM, { body: 'learns' })).text();
    rig.standIn.faults.create.push('before-answer');
    await expect(call(UPSTREAM, { body: 'lost' })).rejects.toMatchObject({ name: 'DurableNetworkError' });
    expect(rig.standIn.upstreamCalls).toBe(2);
  });
});

describe('the answer for a requestId', () => {
  it('is a new one for another body', async () => {
    rig.standIn.upstream = (stream, { body }) => void stream.push(`answer to ${body} `);
    const call = rig.client();
    const first = await call(UPSTREAM, { body: 'a', requestId: 'id' });
    const second = await call(UPSTREAM, { body: 'b', requestId: 'id' });
    expect([first.wasResumed, second.wasResumed, rig.standIn.upstreamCalls]).toEqual([false, false, 2]);
    for (const stream of rig.standIn.streams.values()) stream.close();
    expect(await Promise.all([first.text(), second.text()])).toEqual(['answer to a ', 'answer to b ']);
  });

  it('is the unfinished one for the same body, replayed from its beginning', async () => {
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

  it('is the exact rest for the same body with resumeFrom "offset"', async () => {
    rig.standIn.upstream = (stream) => void stream.push('one ', 'two ');
    const storage = new MemoryStorage();
    const reader = (await rig.client({ storage })(UPSTREAM, CALL)).body!.getReader();
    await reader.read();
    [...rig.standIn.streams.values()][0]?.push('three').close();
    const rest = await rig.client({ storage, resumeFrom: 'offset' })(UPSTREAM, CALL);
    expect(await rest.text()).toBe('two three');
  });

  it.each(['sync', 'async'])(
    'is a new one for the same body after the first was read to its end (%s)',
    async (kind) => {
      const memory = new MemoryStorage();
      const storage = kind === 'sync' ? memory : asAsync(memory);
      let count = 0;
      rig.standIn.upstream = (stream) => void stream.push(`answer ${++count}`).close();
      for (const expected of ['answer 1', 'answer 2', 'answer 3']) {
        const response = await rig.client({ storage })(UPSTREAM, CALL);
        expect([await response.text(), response.wasResumed]).toEqual([expected, false]);
        expect([...memory.keys()].map((key) => memory.getItem(key)).join()).not.toContain('signature');
      }
    },
  );

  it('is a new one for each call without autoResume', async () => {
    rig.standIn.upstream = (stream) => void stream.push('x');
    const call = rig.client({ autoResume: false });
    const responses = [await call(UPSTREAM, CALL), await call(UPSTREAM, CALL)];
    expect(responses.map(({ wasResumed }) => wasResumed)).toEqual([false, false]);
    expect(rig.standIn.upstreamCalls).toBe(2);
  });

  it('is one new answer for all callers if the stream was deleted', async () => {
    rig.standIn.upstream = (stream) => void stream.push('new').close();
    const storage = new MemoryStorage();
    await rig.client({ storage })(UPSTREAM, CALL);
    rig.standIn.streams.clear();
    rig.standIn.forget();
    const responses = await Promise.all([1, 2].map(() => rig.client({ storage })(UPSTREAM, CALL)));
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(['new', 'new']);
    expect(rig.standIn.upstreamCalls).toBe(2);
  });

  it('is the same one after its URL has expired, found by its name or its key', async () => {
    rig.standIn.upstream = (stream) => void stream.push('same').close();
    const storage = new MemoryStorage();
    const first = await rig.client({ storage })(UPSTREAM, CALL);
    rig.standIn.urlVersion = 2;
    const second = await rig.client({ storage })(UPSTREAM, CALL);
    expect(second).toMatchObject({ wasResumed: true, streamId: first.streamId });
    rig.standIn.urlVersion = 3;
    rig.standIn.faults.find.push({ status: 404 });
    const third = await rig.client({ storage })(UPSTREAM, CALL);
    expect(third).toMatchObject({ wasResumed: true, streamId: first.streamId });
    expect(await third.text()).toBe('same');
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('is that of the caller’s Idempotency-Key, if the caller sends one', async () => {
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

  it('is the same one if only the token of the caller was renewed', async () => {
    rig.standIn.upstream = (stream) => void stream.push('x');
    const call = rig.client();
    for (const authorization of ['Bearer a', 'Bearer b'])
      await call(UPSTREAM, { ...CALL, headers: { authorization } });
    expect(rig.standIn.upstreamCalls).toBe(1);
  });
});

describe('resume', () => {
  it('asks again if the proxy does not respond to the lookup', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some ');
    const { streamId } = await rig.client({ storage: new MemoryStorage() })(UPSTREAM, { requestId: 'id' });
    rig.standIn.faults.find.push('no-answer');
    const other = rig.client({ storage: new MemoryStorage(), heartbeatTimeoutMs: 200 });
    expect(await other.resume('id')).toMatchObject({ streamId, status: 200 });
    expect(rig.standIn.count('find')).toBe(2);
  });

  it('returns null without a POST if nothing is known', async () => {
    expect(await rig.client().resume('unknown')).toBeNull();
    rig.standIn.noneStatus = 404;
    expect(await rig.client().resume('unknown')).toBeNull();
    rig.standIn.extensions = false;
    expect(await rig.client().resume('unknown')).toBeNull();
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

  it('finds the answer of a page that crashed before the response, by its name', async () => {
    const storage = new MemoryStorage();
    rig.standIn.faults.create.push('before-answer');
    const dying = rig.client({ storage, maxReconnectAttempts: 0 })(UPSTREAM, CALL);
    await expect(dying).rejects.toMatchObject({ name: 'DurableNetworkError' });
    expect(await (await rig.client({ storage }).resume('chat-1'))?.text()).toBe('hello');
    expect(rig.standIn.upstreamCalls).toBe(1);
  });

  it('does not return an older answer if the POST of the newest never reached the proxy', async () => {
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

  it('joins the answer of another device while it is in progress, and not after its end', async () => {
    rig.standIn.upstream = (stream) => void stream.push('one ');
    await rig.client()(UPSTREAM, CALL);
    const joined = await rig.client().resume('chat-1');
    const [stream] = rig.standIn.streams.values();
    stream?.push('two').close();
    expect(joined?.wasResumed).toBe(true);
    expect(await joined?.text()).toBe('one two');
    expect(await rig.client().resume('chat-1')).toBeNull();
  });

  it('attaches to the stream that is asked for, although a record names an older one', async () => {
    rig.standIn.upstream = (stream) => void stream.push('some ');
    const storage = new MemoryStorage();
    const client = rig.client({ storage });
    const older = await client(UPSTREAM, { body: 'x', requestId: 'id' });
    const other = rig.client({ storage: new MemoryStorage() });
    const { streamId } = await other(UPSTREAM, { body: 'y', requestId: 'id' });
    expect(await client.resume('id', { streamId })).toMatchObject({ streamId });
    // The record is still that of the older one.
    expect(await client.resume('id')).toMatchObject({ streamId: older.streamId });
  });

  it('replays a finished answer for its streamId only', async () => {
    const storage = new MemoryStorage();
    const first = await rig.client({ storage })(UPSTREAM, CALL);
    expect(await first.text()).toBe('hello');
    const { streamId } = first;
    for (const client of [rig.client({ storage }), rig.client()]) {
      expect(await (await client.resume('chat-1', { streamId }))?.text()).toBe('hello');
      expect(await client.resume('chat-1', { streamId: crypto.randomUUID() })).toBeNull();
    }
  });

  it('returns null for a deleted stream, and removes its record', async () => {
    const storage = new MemoryStorage();
    await rig.client({ storage })(UPSTREAM, CALL);
    rig.standIn.streams.clear();
    rig.standIn.forget();
    expect(await rig.client({ storage }).resume('chat-1')).toBeNull();
    expect([...storage.keys()]).toEqual([]);
  });

  it('retries while the network is down, and rejects when the time is over', async () => {
    rig.standIn.faults.find.push('before-request', { status: 503 }, 'mid-headers');
    expect(await rig.client().resume('chat-1')).toBeNull();
    rig.standIn.faults.find.push(...Array<Fault>(5_000).fill('before-request'));
    await expect(rig.client({ retryTimeoutMs: 100 }).resume('chat-1')).rejects.toMatchObject({
      name: 'DurableNetworkError',
    });
  });

  it('rejects if its signal is aborted', async () => {
    const controller = new AbortController();
    rig.standIn.faults.find.push('no-answer');
    const resuming = rig.client().resume('chat-1', { signal: controller.signal });
    await rig.standIn.until(() => rig.standIn.count('find') === 1);
    controller.abort();
    await expect(resuming).rejects.toMatchObject({ name: 'AbortError' });
  });
});
