import { createSentinel } from 'redis';
import { describe, expect, it } from 'vitest';
import { redisStore } from '../../../server/store/redis/index.ts';
import { slotOf } from '../../../server/store/redis/slot.ts';
import type { StreamStore } from '../../../server/store/types.ts';
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
} from '../../../server/testing/byte-store/support.ts';
import { failOver, isInSync, roleOf, startCluster, type RedisCluster } from './cluster.ts';
import { startRedis, startSentinel, until, type RedisServer } from './servers.ts';
import { positionOf, scoped, writeOn, type OpenStore } from './stores.ts';

/** Streams that one store writes and two follow, while Redis fails or changes. */
async function throughout(
  [writer, reader]: readonly StreamStore[],
  ids: readonly string[],
  incident: () => Promise<void>,
): Promise<void> {
  const runs = await Promise.all(
    ids.map(async (id) => {
      await writer!.create(id, init());
      const tails = await Promise.all([Tail.open(writer!, id), Tail.open(reader!, id)]);
      return { id, tails, writing: writeOn(writer!, id) };
    }),
  );
  const more = async () => {
    const marks = runs.map(({ tails }) => positionOf(tails[1]) + 2000);
    await Promise.all(
      runs.map(({ tails }, i) => tails[1].until((t) => positionOf(t) > marks[i]! || !!t.error)),
    );
  };
  await more();
  await incident();
  await more();
  for (const { id, tails, writing } of runs) {
    const bytes = await writing.stop();
    await writer!.close(id, COMPLETE);
    for (const tail of tails) expectSame(await tail.toEnd(), bytes);
    expectSame((await readAll(reader!, id)).bytes, bytes);
  }
}

const pair = ({ url }: { url: string }, open: OpenStore) => Promise.all([open({ url }), open({ url })]);

const thirdOf = (id: string): number => Math.floor((slotOf(id) * 3) / 16_384);

/** Ids in the slots of each of three masters. */
function spread(): string[] {
  const ids = [newId()];
  while (new Set(ids.map(thirdOf)).size < 3) ids.push(newId());
  return ids;
}

/** Resolves when the replica of the first master has replaced it. */
async function takenOver({ replicas }: RedisCluster): Promise<void> {
  await until(async () => (await roleOf(replicas[0]!)) === 'master');
}

// These tests mostly wait for Redis. They are independent and run concurrently, the longest first. On two cores with a
// load of 15, four clusters took 21 s to start and the first appends 11 s; no failover took more than 4 s. The limit is
// therefore for the servers; the store has its own (`requestTimeoutMs`, `appendTimeoutMs`).
needs('redis-server')('Redis store when Redis changes', () => {
  describe.concurrent('it', { timeout: 120_000 }, () => {
    it(
      'fails after about ten seconds if Redis is unavailable at the start or later',
      scoped(async ({ own, open }) => {
        const gone = await own(startRedis());
        const store = await open({ url: gone.url, appendTimeoutMs: 10_000 });
        const id = await streamOf(store, 'x');
        const tail = await Tail.open(store, id);
        // Another test's Redis could take a free port meanwhile. Port 1 is never assigned.
        const url = 'redis://127.0.0.1:1';
        await gone.stop();
        const begun = performance.now();
        await Promise.all([
          expect(redisStore({ url }).open()).rejects.toMatchObject({
            code: 'UNAVAILABLE',
            message: expect.stringContaining('ECONNREFUSED') as string,
          }),
          expect(store.append(id, Buffer.from('y'))).rejects.toEqual(storeError('UNAVAILABLE')),
          expect(store.head(id)).rejects.toEqual(storeError('UNAVAILABLE')),
          expect(tail.toEnd()).rejects.toEqual(storeError('UNAVAILABLE')),
        ]);
        expect(performance.now() - begun).toBeGreaterThan(9_000);
        expect(performance.now() - begun).toBeLessThan(15_000);
      }),
    );

    it(
      'opens a cluster with a dead master, and serves the others',
      scoped(async ({ own, open }) => {
        const cluster = await own(startCluster());
        await cluster.masters[1]!.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
        await cluster.masters[2]!.command('CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
        await cluster.masters[0]!.stop();
        const store = await open({ url: cluster.masters[1]!.url });
        const [lost, kept] = [0, 2].map((third) => spread().find((id) => thirdOf(id) === third)!);
        const failing = expect(store.create(lost!, init())).rejects.toEqual(storeError('UNAVAILABLE'));
        await throughout([store, store], [kept!], async () => undefined);
        await failing;
      }),
    );

    it(
      'continues when a master of a cluster stops responding',
      scoped(async ({ own, open }) => {
        const cluster = await own(startCluster({ replicas: 1 }));
        await throughout(await pair(cluster, open), spread(), async () => {
          cluster.masters[0]!.kill('SIGSTOP');
          await takenOver(cluster);
        });
      }),
    );

    it(
      'continues when a master of a cluster dies',
      scoped(async ({ own, open }) => {
        const cluster = await own(startCluster({ replicas: 1 }));
        await throughout(await pair(cluster, open), spread(), async () => {
          cluster.masters[0]!.kill('SIGKILL');
          await takenOver(cluster);
        });
      }),
    );

    it(
      'continues when a replica of a cluster takes over, and when a slot moves to another master',
      scoped(async ({ own, open }) => {
        const cluster = await own(startCluster({ replicas: 1 }));
        const { masters, replicas } = cluster;
        for (const key of ['', 'a', '{', '{}', '{}a', 'a{b}c', 'a{b}{c}', '{é🦉}x', newId()]) {
          expect(await masters[0]!.command('CLUSTER', 'KEYSLOT', key), key).toBe(slotOf(key));
        }
        const stores = await pair(cluster, open);
        await throughout(stores, spread(), async () => {
          await replicas[0]!.command('CLUSTER', 'FAILOVER');
          await takenOver(cluster);
          // Messages come from the new master, also for followers that have missed none so far.
          await until(async () =>
            String(await replicas[0]!.command('PUBSUB', 'SHARDCHANNELS')).includes(':foreign'),
          );
        });
        const id = spread().find((one) => thirdOf(one) === 1)!;
        await throughout(stores, [id], () => moveSlot(slotOf(id), masters[1]!, masters[2]!));
      }),
    );

    it(
      'continues when the sentinels promote a replica',
      scoped(async ({ own, open, defer }) => {
        const [first, second] = await Promise.all([own(startRedis()), own(startRedis())]);
        await second.command('REPLICAOF', '127.0.0.1', `${first.port}`);
        await until(() => isInSync(second));
        const sentinel = await own(startSentinel('answers', first));
        const sentinelRootNodes = [{ host: '127.0.0.1', port: sentinel.port }];
        const stores: StreamStore[] = [];
        for (let i = 0; i < 2; i += 1) {
          const client = createSentinel({ name: 'answers', sentinelRootNodes });
          defer(() => client.destroy());
          stores.push(await open({ client }));
        }
        const [writer, reader] = stores;
        const id = await streamOf(writer!, 'before ');
        const tails = await Promise.all(stores.map((store) => Tail.open(store, id)));
        // Writes that the old master accepts while another is promoted are lost, as Sentinel documents.
        await until(async () => (await second.command('EXISTS', `durable-proxy:{${id}}:log`)) === 1);
        await failOver(sentinel, 'answers', { master: first, replica: second });
        await writer!.append(id, Buffer.from('after'));
        await reader!.close(id, COMPLETE);
        for (const tail of tails) expect((await tail.toEnd()).toString()).toBe('before after');
      }),
    );
  });
});

async function moveSlot(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
  const [fromId, toId] = await Promise.all([from, to].map((one) => one.command('CLUSTER', 'MYID')));
  await to.command('CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', String(fromId));
  await from.command('CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', String(toId));
  const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '100')) as string[];
  await from.command('MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '5000', 'KEYS', ...keys);
  for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', String(toId));
}
