import { afterAll, beforeAll, expect, it } from 'vitest';
import { needs } from '../../requirements.ts';
import {
  COMPLETE,
  expectSame,
  init,
  newId,
  readAll,
  storeError,
  streamOf,
  Tail,
  textOf,
} from '../../../server/testing/byte-store/support.ts';
import { startRedis, type RedisServer } from './servers.ts';
import { openStores, positionOf, writeOn } from './stores.ts';

needs('redis-server')('Redis store when Redis fails', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await redis.stop();
  });
  const open = openStores();
  const two = () => Promise.all([open({ url: redis.url }), open({ url: redis.url })]);

  it('neither loses nor repeats bytes when its connections are killed during a stream', async () => {
    const [writer, reader] = await two();
    const id = await streamOf(writer);
    const tails = await Promise.all([Tail.open(writer, id), Tail.open(reader, id)]);
    const writing = writeOn(writer, id);
    for (let round = 1; round <= 6; round += 1) {
      await tails[1].until((t) => positionOf(t) > round * 5000);
      await redis.command('CLIENT', 'KILL', 'TYPE', round % 2 ? 'pubsub' : 'normal');
    }
    const bytes = await writing.stop();
    await writer.close(id, COMPLETE);
    for (const tail of tails) expectSame(await tail.toEnd(), bytes);
    expectSame((await readAll(reader, id)).bytes, bytes);
  });

  it('rejects with NOT_FOUND after a FLUSHALL during a stream, and does not create the stream again', async () => {
    const [writer, reader] = await two();
    const id = await streamOf(writer);
    const tails = await Promise.all([Tail.open(writer, id), Tail.open(reader, id)]);
    const idle = await streamOf(writer, 'quiet');
    const quiet = await Tail.open(reader, idle);
    const writing = writeOn(writer, id);
    await tails[1].until((t) => positionOf(t) > 1000);
    await redis.command('FLUSHALL');
    await expect(writing.stop().then(() => writer.append(id, Buffer.from('x')))).rejects.toEqual(
      storeError('NOT_FOUND'),
    );
    for (const tail of [...tails, quiet]) await expect(tail.toEnd()).rejects.toEqual(storeError('NOT_FOUND'));
    await expect(writer.close(id, COMPLETE)).rejects.toEqual(storeError('NOT_FOUND'));
    await expect(reader.read(id, '-1', 10)).rejects.toEqual(storeError('NOT_FOUND'));
    expect(await redis.command('DBSIZE')).toBe(0);
  });

  it.each(['log', 'meta'])('rejects with NOT_FOUND if only the %s of a stream was evicted', async (part) => {
    const [writer, reader] = await two();
    const id = await streamOf(writer, 'bytes');
    await redis.command('DEL', `durable-proxy:{${id}}:${part}`);
    await expect(reader.read(id, '-1', 10)).rejects.toEqual(storeError('NOT_FOUND'));
    await expect(writer.append(id, Buffer.from('x'))).rejects.toEqual(storeError('NOT_FOUND'));
  });

  it('separates followers and writers of a stream from those of the next one under its id', async () => {
    const [first, second] = await two();
    const id = await streamOf(first, 'old');
    const tail = await Tail.open(first, id);
    await tail.until((t) => t.bytes.length === 3);
    await redis.command('FLUSHALL');
    await second.create(id, init());
    await second.append(id, Buffer.from('new and longer'));
    await expect(tail.toEnd()).rejects.toEqual(storeError('NOT_FOUND'));
    expect(tail.bytes.toString()).toBe('old');
    await expect(first.append(id, Buffer.from('x'))).rejects.toEqual(storeError('NOT_FOUND'));
    expect(await textOf(first, id)).toBe('new and longer');
  });

  it('reports what to do when memory is full, keeps streams readable, and can end them', async () => {
    const [store, reader] = await two();
    const id = await streamOf(store, 'before ');
    const tails = await Promise.all([Tail.open(store, id), Tail.open(reader, id)]);
    await redis.command('CONFIG', 'SET', 'maxmemory', '1');
    try {
      await expect(store.append(id, Buffer.from('x'))).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('out of memory (maxmemory)') as string,
      });
      await expect(store.create(newId(), init())).rejects.toEqual(storeError('UNAVAILABLE'));
      expect(await textOf(reader, id)).toBe('before ');
      const late = await Tail.open(reader, id);
      await store.close(id, { outcome: 'interrupted' }, Buffer.from('after'));
      for (const tail of [...tails, late]) expect((await tail.toEnd()).toString()).toBe('before after');
      expect(await store.delete(id)).toBe(true);
    } finally {
      await redis.command('CONFIG', 'SET', 'maxmemory', '0');
    }
    expect(await store.create(id, init())).toBe(true);
  });
});
