import { afterAll, beforeAll, expect, it } from 'vitest';
import { COMPLETE, init, newId, streamOf } from '../../../server/testing/byte-store/support.ts';
import { needs } from '../../requirements.ts';
import { startRedis, type RedisServer } from './servers.ts';
import { openStores } from './stores.ts';

needs('redis-server')('The version of a stream in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  const open = openStores();
  const keyOf = async (id: string) =>
    String(await redis.command('KEYS', `*${id}*`))
      .split(/[\s,]+/)
      .find((key) => key.endsWith(':meta')) ?? '';

  it('is written with the stream, and may be missing', async () => {
    const store = await open({ url: redis.url });
    const id = await streamOf(store, 'text');
    const key = await keyOf(id);
    expect(String(await redis.command('HGET', key, 'v'))).toBe('1');
    await redis.command('HDEL', key, 'v');
    expect(await store.head(id)).toMatchObject(init());
    await store.append(id, Buffer.from('more'));
    expect(await store.close(id, COMPLETE)).toEqual(COMPLETE);
  });

  it('is an error if it is newer, and the stream stays as it is', async () => {
    const store = await open({ url: redis.url });
    const id = await streamOf(store, 'text');
    const key = await keyOf(id);
    await redis.command('HSET', key, 'v', '2');
    const before = String(await redis.command('HGETALL', key));
    const operations = [
      () => store.head(id),
      () => store.read(id, '-1', 10),
      () => store.follow(id, '-1', () => undefined),
      () => store.append(id, Buffer.from('x')),
      () => store.annotate!(id, { a: 'b' }),
      () => store.adopt!(id, 0, {}),
      () => store.close(id, COMPLETE),
      () => store.delete(id),
    ];
    for (const operation of operations) {
      await expect(operation()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/version 2.*up to 1.*upgrade this process/),
      });
    }
    expect(await store.create(id, init())).toBe(false);
    expect(String(await redis.command('HGETALL', key))).toBe(before);
    expect(await store.create(newId(), init())).toBe(true);
  });
});
