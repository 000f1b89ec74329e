import { createClient, createCluster } from 'redis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { redisStore } from '../../../server/store/redis/index.ts';
import { needs } from '../../requirements.ts';
import {
  COMPLETE,
  expectSame,
  init,
  newId,
  noise,
  storeError,
  streamOf,
  Tail,
  textOf,
} from '../../../server/testing/byte-store/support.ts';
import { startRedis, until, type RedisServer } from './servers.ts';
import { openStores } from './stores.ts';

needs('redis-server')('Several Redis stores on one Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });
  const open = openStores();
  const openAll = (count: number) =>
    Promise.all(Array.from({ length: count }, () => open({ url: redis.url })));
  const connections = async () =>
    String(await redis.command('CLIENT', 'LIST'))
      .trim()
      .split('\n').length;

  it('creates a stream once if 50 creates of its id run through five stores', async () => {
    const stores = await openAll(5);
    const id = newId();
    const taken = await Promise.all(Array.from({ length: 50 }, (_, i) => stores[i % 5]!.create(id, init())));
    expect(taken.filter(Boolean)).toHaveLength(1);
  });

  it('rejects writes of one store after another has closed the stream', async () => {
    const [writer, guardian] = await openAll(2);
    const id = await streamOf(writer!, 'begun');
    const tail = await Tail.open(writer!, id);
    const end = { outcome: 'interrupted', error: { code: 'GONE', message: 'm' } } as const;
    await guardian!.close(id, end);
    await expect(writer!.append(id, Buffer.from('late'))).rejects.toEqual(storeError('CLOSED'));
    expect(await writer!.close(id, COMPLETE, Buffer.from('late'))).toEqual(end);
    expect((await tail.toEnd()).toString()).toBe('begun');
    expect(tail.end).toEqual(end);
  });

  it('notifies followers of the other stores of new metadata', async () => {
    const [writer, reader] = await openAll(2);
    const id = newId();
    await writer!.create(id, init({ metadata: { pending: '1' } }));
    const tail = await Tail.open(reader!, id);
    await writer!.annotate!(id, { status: '200' });
    await tail.until(({ follower }) => follower.metadata['status'] === '200');
    expect(tail.frames).toEqual([]);
    await writer!.append(id, Buffer.from('body'));
    await tail.until(({ bytes }) => bytes.length === 4);
    expect(await reader!.head(id)).toMatchObject({ metadata: { pending: '1', status: '200' } });
    tail.stop();
  });

  it('keeps the order of each of many writers of one log', async () => {
    const stores = await openAll(4);
    const id = `key-${newId()}`;
    await stores[0]!.create(id, init());
    const tail = await Tail.open(stores[0]!, id);
    await Promise.all(
      stores.flatMap((store, s) =>
        Array.from({ length: 50 }, (_, i) => store.append(id, Buffer.from(`${s}:${i};`))),
      ),
    );
    await stores[3]!.close(id, COMPLETE);
    const words = (await tail.toEnd()).toString().split(';').slice(0, -1);
    expect(words).toHaveLength(200);
    for (const s of stores.keys()) {
      const own = words.filter((word) => word.startsWith(`${s}:`));
      expect(own).toEqual(Array.from({ length: 50 }, (_, i) => `${s}:${i}`));
    }
    expect(await textOf(stores[1]!, id)).toBe(words.map((word) => `${word};`).join(''));
  });

  it('delivers a message to another store at once, into the mailbox that it created', async () => {
    const [owner, other] = await openAll(2);
    const id = `proxy-${newId()}`;
    await owner!.create(id, init());
    const mailbox = await Tail.open(owner!, id);
    const delays: number[] = [];
    for (let i = 1; i <= 30; i += 1) {
      const begun = performance.now();
      const arrived = mailbox.until((t) => t.bytes.length === i);
      await Promise.all([arrived, other!.append(id, Buffer.from('x'))]);
      delays.push(performance.now() - begun);
    }
    delays.sort((a, b) => a - b);
    expect(delays[15]).toBeLessThan(100);
  });

  it('notifies the followers of a store of a delete by another one', async () => {
    const [one, other] = await openAll(2);
    const id = await streamOf(one!, 'bytes');
    const tails = await Promise.all([Tail.open(one!, id), Tail.open(other!, id)]);
    await other!.delete(id);
    for (const tail of tails) await expect(tail.toEnd()).rejects.toEqual(storeError('NOT_FOUND'));
  });

  it('follows 1,000 streams over two connections a process', async () => {
    const before = await connections();
    const [writer, reader] = await openAll(2);
    const ids = await Promise.all(Array.from({ length: 1000 }, () => streamOf(writer!)));
    const tails = await Promise.all(ids.map((id) => Tail.open(reader!, id)));
    await Promise.all(ids.map((id) => writer!.append(id, Buffer.from(id))));
    await Promise.all(tails.map((tail, i) => tail.until((t) => t.bytes.toString() === ids[i])));
    expect((await connections()) - before).toBe(4);
    for (const tail of tails) tail.stop();
    await until(async () => String(await redis.command('PUBSUB', 'CHANNELS')) === '');
  });

  it('rejects a writer after another store adopted its stream', async () => {
    const [a, b] = await Promise.all([open({ url: redis.url }), open({ url: redis.url })]);
    const id = newId();
    await a.create(id, init());
    await a.append(id, Buffer.from('a'), 0);
    const fence = await b.adopt!(id, 0, {});
    await expect(a.append(id, Buffer.from('late'), 0)).rejects.toEqual(storeError('FENCED'));
    await expect(a.close(id, COMPLETE, undefined, 0)).rejects.toEqual(storeError('FENCED'));
    await b.append(id, Buffer.from('b'), fence);
    expect(await textOf(b, id)).toBe('ab');
  });

  it('separates stores with different prefixes', async () => {
    const [a, b] = await Promise.all(['a:', 'b:'].map((keyPrefix) => open({ url: redis.url, keyPrefix })));
    const id = newId();
    expect(await a!.create(id, init())).toBe(true);
    expect(await b!.create(id, init())).toBe(true);
    await a!.append(id, Buffer.from('only in a'));
    expect(await textOf(b!, id)).toBe('');
  });

  it.each([2, 3] as const)(
    'works with a client of the app (RESP %i), and does not change it',
    async (RESP) => {
      const client = await createClient({ url: redis.url, RESP })
        .on('error', () => undefined)
        .connect();
      const before = await connections();
      const store = redisStore({ client });
      await store.open();
      const id = await streamOf(store, 'by the ');
      const tail = await Tail.open(store, id);
      const other = await open({ url: redis.url });
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await other.append(id, Buffer.from('client'));
      await other.close(id, COMPLETE);
      expect((await tail.toEnd()).toString()).toBe('by the client');
      const long = noise(200_000);
      const longId = await streamOf(store);
      await store.append(longId, long);
      expectSame((await store.read(longId, store.offsetAt!(10), 1_000_000)).bytes, long.subarray(10));
      // Most of its bytes are read without a script.
      expect(String(await redis.command('INFO', 'commandstats'))).toContain('cmdstat_xread:');
      await store.dispose();
      await other.dispose();
      await until(async () => (await connections()) === before);
      expect(await client.sendCommand(['PING'])).toBe('PONG');
      expect(client.listenerCount('error')).toBe(1);
      client.destroy();
    },
  );

  it('connects a client that is not connected, and closes it', async () => {
    const client = createClient({ url: redis.url });
    const store = redisStore({ client });
    await store.open();
    expect(client.isOpen).toBe(true);
    await store.dispose();
    expect(client.isOpen).toBe(false);
  });

  it('rejects the wrong kind of client', async () => {
    const cluster = createCluster({ rootNodes: [{ url: redis.url }] });
    await expect(redisStore({ client: cluster }).open()).rejects.toEqual(storeError('UNAVAILABLE'));
  });

  it('reports a wrong password without showing it', async () => {
    const locked = await startRedis({ requirepass: 'correct' });
    try {
      const { port } = locked;
      const wrong = redisStore({ url: `redis://:hunter2@127.0.0.1:${port}` }).open();
      await expect(wrong).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: /refused the user or the password/,
      });
      const error = (await wrong.catch((e: unknown) => e)) as Error;
      expect(`${error.stack} ${String((error.cause as Error).stack)}`).not.toContain('hunter2');
      const none = redisStore({ url: `redis://127.0.0.1:${port}` }).open();
      await expect(none).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /asks for a password/ });
      const right = redisStore({ url: `redis://:correct@127.0.0.1:${port}` });
      await right.open();
      await right.dispose();
    } finally {
      await locked.stop();
    }
  });
});
