import net, { type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { redisStore } from '../../../server/store/redis/index.ts';
import type { StreamStore } from '../../../server/store/types.ts';
import { needs } from '../../requirements.ts';
import {
  COMPLETE,
  init,
  newId,
  noise,
  readAll,
  storeError,
  streamOf,
  Tail,
  textOf,
} from '../../../server/testing/byte-store/support.ts';
import { startRelay, type Relay } from './relay.ts';
import { isInSync } from './cluster.ts';
import { startRedis, until, type RedisServer } from './servers.ts';
import { openStores } from './stores.ts';

needs('redis-server')('Redis store on an unreliable network', () => {
  let redis: RedisServer;
  let relay: Relay;
  let store: StreamStore;
  let direct: StreamStore;
  const open = openStores();
  beforeAll(async () => {
    redis = await startRedis();
    // Redis rejects a script that it does not know yet, and the loss of that reply would not test anything.
    const store = redisStore({ url: redis.url });
    await store.open();
    const id = await streamOf(store, 'x');
    await store.close(id, COMPLETE);
    await store.delete(id);
    await store.dispose();
  });
  afterAll(async () => {
    await redis.stop();
  });
  beforeEach(async () => {
    relay = await startRelay(redis.port);
    store = await open({ url: relay.url });
    direct = await open({ url: redis.url });
  });
  afterEach(async () => {
    await relay.stop();
  });

  it('writes an append once if its reply was lost, and returns its bytes once to followers', async () => {
    const id = newId();
    await store.create(id, init());
    const tails = await Promise.all([Tail.open(store, id), Tail.open(direct, id)]);
    for (let i = 0; i < 5; i += 1) {
      relay.loseReplyTo(id);
      await store.append(id, Buffer.from(`${i},`));
    }
    expect(relay.lost).toBe(5);
    await direct.close(id, COMPLETE);
    expect(await textOf(direct, id)).toBe('0,1,2,3,4,');
    for (const tail of tails) expect((await tail.toEnd()).toString()).toBe('0,1,2,3,4,');
  });

  it('writes an append that its client sent on a closed connection', async () => {
    const sockets: Socket[] = [];
    const { createConnection } = net;
    vi.spyOn(net, 'createConnection').mockImplementation((...args: unknown[]) => {
      sockets.push(Reflect.apply(createConnection, net, args) as Socket);
      return sockets.at(-1)!;
    });
    const own = await open({ url: relay.url });
    vi.restoreAllMocks();
    const [ids, later] = await Promise.all(
      [20, 20].map((length) => Promise.all(Array.from({ length }, () => streamOf(own, 'a')))),
    );
    const other = newId();
    // More of them than the number of replies to the client's own commands on a new connection.
    const writes = [...ids!.map((id) => own.append(id, Buffer.from('b'))), own.create(other, init())];
    // The client now writes at the end of this turn, whatever happens until then, and mistakes the first replies of its
    // next connection (to its own commands) for the replies to these.
    for (let i = 0; i < 20; i += 1) await null;
    sockets[0]!.destroy(new Error('reset'));
    await new Promise((resolve) => setImmediate(resolve));
    // These are written with the first commands on that connection.
    await Promise.all([...writes, ...later!.map((id) => own.append(id, Buffer.from('b')))]);
    for (const id of [...ids!, ...later!]) expect(await textOf(direct, id)).toBe('ab');
    expect(await direct.head(other)).toBeDefined();
  });

  it('does not repeat an append after which others have written', async () => {
    const id = `proxy-${newId()}`;
    await direct.create(id, init());
    await store.append(id, Buffer.from('a'));
    relay.loseReplyTo(id);
    const appending = store.append(id, Buffer.from('b'));
    await until(async () => (await textOf(direct, id)) === 'ab');
    await direct.append(id, Buffer.from('c'));
    await appending;
    expect(await textOf(direct, id)).toBe('abc');
  });

  it('creates a stream once if the reply was lost', async () => {
    const id = newId();
    relay.loseReplyTo(id);
    expect(await store.create(id, init())).toBe(true);
    expect(relay.lost).toBe(1);
    expect(await direct.create(id, init())).toBe(false);
    expect(await store.create(id, init())).toBe(false);
  });

  it('closes once if the reply was lost', async () => {
    const id = newId();
    await store.create(id, init());
    relay.loseReplyTo(id);
    expect(await store.close(id, COMPLETE, Buffer.from('last'))).toEqual(COMPLETE);
    expect(relay.lost).toBe(1);
    expect(await readAll(direct, id)).toMatchObject({ bytes: Buffer.from('last'), end: COMPLETE });
  });

  it('returns true for a delete whose reply was lost', async () => {
    const id = newId();
    await store.create(id, init());
    relay.loseReplyTo(id);
    expect(await store.delete(id)).toBe(true);
    expect(relay.lost).toBe(1);
    expect(await store.delete(id)).toBe(false);
  });

  it('keeps the order of appends if connections break', async () => {
    const id = newId();
    await store.create(id, init());
    const parts = Array.from({ length: 200 }, (_, i) => noise(50, i + 1));
    let done = 0;
    const appends = parts.map((part) => store.append(id, part).then(() => (done += 1)));
    for (const limit of [20, 60, 120]) {
      await until(async () => done > limit);
      relay.cut();
    }
    await Promise.all(appends);
    expect((await readAll(direct, id)).bytes.equals(Buffer.concat(parts))).toBe(true);
  });
});

needs('redis-server')('Redis store whose host name moves to another server', () => {
  let old: RedisServer;
  let next: RedisServer;
  let relay: Relay;
  const open = openStores();
  beforeEach(async () => {
    [old, next] = await Promise.all([startRedis(), startRedis()]);
    await next.command('REPLICAOF', '127.0.0.1', `${old.port}`);
    await until(() => isInSync(next));
    relay = await startRelay(old.port);
  });
  afterEach(async () => {
    await Promise.all([relay.stop(), old.stop(), next.stop()]);
  });

  const promote = async () => {
    await next.command('REPLICAOF', 'NO', 'ONE');
    relay.target = next.port;
  };

  it('follows a failover while the old master still answers, as a replica that rejects writes', async () => {
    const store = await open({ url: relay.url });
    const id = newId();
    await store.create(id, init());
    const tail = await Tail.open(store, id);
    await store.append(id, Buffer.from('before '));
    // Replication is asynchronous. Another test covers a promotion before it.
    await until(async () => (await next.command('EXISTS', `durable-proxy:{${id}}:log`)) === 1);
    await promote();
    await old.command('REPLICAOF', '127.0.0.1', `${next.port}`);
    await store.append(id, Buffer.from('after'));
    await store.close(id, COMPLETE);
    expect((await tail.toEnd()).toString()).toBe('before after');
    const direct = await open({ url: next.url });
    expect(await textOf(direct, id)).toBe('before after');
  });

  it('never reports a stream as complete if acknowledged bytes were lost', async () => {
    const store = await open({ url: relay.url });
    const [writing, closing] = [newId(), newId()];
    for (const id of [writing, closing]) {
      await store.create(id, init());
      await store.append(id, Buffer.from('kept '));
    }
    const tail = await Tail.open(store, writing);
    await tail.until((t) => t.bytes.length === 5);
    await until(async () => (await next.command('EXISTS', `durable-proxy:{${closing}}:log`)) === 1);
    // The replica lags from here on.
    await next.command('REPLICAOF', 'NO', 'ONE');
    for (const id of [writing, closing]) await store.append(id, Buffer.from('lost'));
    const { tail: beyond } = (await store.head(writing))!;
    relay.target = next.port;
    relay.cut();

    await expect(store.append(writing, Buffer.from('more'))).rejects.toEqual(storeError('UNAVAILABLE'));
    const end = await store.close(writing, { outcome: 'aborted' }, Buffer.from('rest'));
    expect(end).toMatchObject({ outcome: 'interrupted', error: { code: 'STORAGE_ERROR' } });
    expect(await store.close(closing, COMPLETE, Buffer.from('rest'))).toMatchObject({
      outcome: 'interrupted',
    });
    for (const id of [writing, closing]) {
      expect(await readAll(store, id)).toMatchObject({
        bytes: Buffer.from('kept '),
        end: { outcome: 'interrupted' },
      });
    }
    await expect(tail.toEnd()).rejects.toEqual(storeError('UNAVAILABLE'));
    expect(tail.bytes.toString()).toBe('kept lost');
    await expect(store.read(writing, beyond, 10)).rejects.toEqual(storeError('INVALID_OFFSET'));
  });
});
