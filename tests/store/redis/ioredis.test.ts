import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createCluster } from 'redis';
import { describe, expect, it } from 'vitest';
import { checkOptions } from '../../../server/store/redis/options.ts';
import { redisStore } from '../../../server/store/redis/index.ts';
import { needs } from '../../requirements.ts';
import {
  COMPLETE,
  expectSame,
  init,
  newId,
  readAll,
  streamOf,
  Tail,
} from '../../../server/testing/byte-store/support.ts';
import { failOver, isInSync, startCluster } from './cluster.ts';
import { ignoringErrors } from './factory.ts';
import { startRedis, startSentinel, until } from './servers.ts';
import { positionOf, scoped, writeOn } from './stores.ts';

describe('a client of ioredis', () => {
  it('is recognized by its shape', () => {
    const options = { lazyConnect: true };
    const sentinels = [{ host: 'localhost', port: 26_379 }];
    for (const client of [
      new Redis(options),
      new Redis({ ...options, sentinels, name: 'main' }),
      new Redis5(options),
      new Redis5({ ...options, sentinels, name: 'main' }),
    ]) {
      expect(checkOptions({ client })).toMatchObject({ kind: 'ioredis' });
    }
    for (const client of [
      new Redis.Cluster(['redis://localhost'], options),
      new Redis5.Cluster(['redis://localhost'], options),
    ]) {
      expect(checkOptions({ client })).toMatchObject({ kind: 'ioredis-cluster' });
    }
  });
});

needs('redis-server')('Redis store by ioredis', () => {
  it(
    'uses connections of its own, and does not change the client',
    scoped(async ({ own }) => {
      const redis = await own(startRedis());
      const client = ignoringErrors(new Redis(redis.url, { lazyConnect: true }));
      const store = redisStore({ client });
      await store.open();
      const id = await streamOf(store);
      expect(await redis.command('EXISTS', `durable-proxy:{${id}}:meta`)).toBe(1);
      expect(client.status).toBe('wait');
      await store.dispose();
      await until(async () => !String(await redis.command('CLIENT', 'LIST')).includes('lib-name=ioredis'));
    }),
  );

  it(
    'reports a missing or wrong password without waiting',
    scoped(async ({ own }) => {
      const redis = await own(startRedis());
      await redis.command('CONFIG', 'SET', 'requirepass', 'hunter2');
      for (const [password, reason] of [
        [undefined, /asks for a password/],
        ['hunter3', /refused the user or the password/],
      ] as const) {
        const client = ignoringErrors(
          new Redis(redis.url, { lazyConnect: true, ...(password && { password }) }),
        );
        const error = await redisStore({ client })
          .open()
          .catch((reason: unknown) => reason as Error);
        expect(error?.message).toMatch(reason);
        expect(error?.message).not.toMatch(/hunter/);
      }
    }),
  );

  it(
    'neither loses nor repeats bytes when its connections are killed during a stream',
    scoped(async ({ own, open }) => {
      const redis = await own(startRedis());
      const client = () => ignoringErrors(new Redis(redis.url, { lazyConnect: true }));
      // The reader uses the other library: they are compatible.
      const [writer, reader] = [await open({ client: client() }), await open({ url: redis.url })];
      const id = await streamOf(writer);
      const tails = await Promise.all([Tail.open(writer, id), Tail.open(reader, id)]);
      const writing = writeOn(writer, id);
      for (let round = 1; round <= 4; round += 1) {
        await tails[1].until((tail) => positionOf(tail) > round * 5000);
        await redis.command('CLIENT', 'KILL', 'TYPE', round % 2 ? 'pubsub' : 'normal');
      }
      const bytes = await writing.stop();
      await writer.close(id, COMPLETE);
      for (const tail of tails) expectSame(await tail.toEnd(), bytes);
      expectSame((await readAll(reader, id)).bytes, bytes);
    }),
  );

  it(
    'continues a stream when Sentinel promotes a replica',
    scoped(async ({ own, open }) => {
      const master = await own(startRedis());
      const replica = await own(startRedis({ replicaof: `127.0.0.1 ${master.port}` }));
      await until(() => isInSync(replica));
      const sentinel = await own(startSentinel('main', master));
      const client = () =>
        ignoringErrors(
          new Redis({
            sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
            name: 'main',
            lazyConnect: true,
          }),
        );
      const [writer, reader] = [await open({ client: client() }), await open({ client: client() })];
      const id = await streamOf(writer, 'before ');
      const tail = await Tail.open(reader, id);
      // Writes that the old master accepts while another is promoted are lost, as Sentinel documents.
      await until(async () => (await replica.command('EXISTS', `durable-proxy:{${id}}:log`)) === 1);
      await failOver(sentinel, 'main', { master, replica });
      await writer.append(id, Buffer.from('after'));
      await writer.close(id, COMPLETE);
      expect((await tail.toEnd()).toString()).toBe('before after');
    }),
  );

  it(
    'continues streams when a master of a cluster is killed, together with a store of node-redis',
    scoped(async ({ own, open }) => {
      const cluster = await own(startCluster({ replicas: 1 }));
      const client = () => ignoringErrors(new Redis.Cluster([cluster.url], { lazyConnect: true }));
      const others = createCluster({ rootNodes: [{ url: cluster.url }], minimizeConnections: true });
      const [writer, reader, other] = [
        await open({ client: client() }),
        await open({ client: client() }),
        await open({ client: others }),
      ];
      // One of ten ids is most likely in the slots of the first master, which has the replica.
      const ids = Array.from({ length: 10 }, newId);
      const runs = await Promise.all(
        ids.map(async (id) => {
          await writer.create(id, init());
          const tails = await Promise.all([Tail.open(reader, id), Tail.open(other, id)]);
          return { id, tails, writing: writeOn(writer, id) };
        }),
      );
      const progress = async () => {
        for (const { tails } of runs) {
          for (const tail of tails) {
            const mark = positionOf(tail);
            await tail.until((one) => positionOf(one) > mark + 500);
          }
        }
      };
      await progress();
      cluster.masters[0]!.kill('SIGKILL');
      await progress();
      await progress();
      for (const { id, tails, writing } of runs) {
        const bytes = await writing.stop();
        await writer.close(id, COMPLETE);
        for (const tail of tails) expectSame(await tail.toEnd(), bytes);
      }
    }),
    120_000,
  );
});
