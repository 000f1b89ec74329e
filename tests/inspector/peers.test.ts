import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnswerDetails } from '../../server/inspector/wire/types.ts';
import type { StreamStore } from '../../server/index.ts';
import { durableStreamsStore } from '../../server/index.ts';
import { redisStore } from '../../server/store/redis/index.ts';
import { needs } from '../requirements.ts';
import { startReferenceServer } from '../store/durable-streams/reference-server.ts';
import { startRedis } from '../store/redis/servers.ts';
import { startProxyProcess, type ProxyProcess, type ProxyProcessOptions } from '../support/process.ts';
import { startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';
import { act, follow, jsonOf, snapshotOf } from './support.ts';

interface Backend {
  readonly options: ProxyProcessOptions;
  readonly store: StreamStore;
  stop(): Promise<void>;
}

/** One proxy in this process, which is asked, and one in a process of its own, which runs the answers. */
function describePeers(startBackend: () => Promise<Backend>): void {
  let backend: Backend;
  let asked: TestProxy;
  let other: ProxyProcess;
  let upstream: Upstream;
  let ops: string;

  beforeAll(async () => {
    backend = await startBackend();
    upstream = await startUpstream(({ res }) => void write(res, 'hello '));
    [asked, other] = await Promise.all([
      startProxy({ store: backend.store, inspector: true }),
      startProxyProcess({ ...backend.options, args: ['--inspector'] }),
    ]);
    ops = `${asked.url}/inspector/`;
  }, 60_000);
  afterAll(async () => {
    await other.kill('SIGKILL');
    await upstream.close();
    await asked.stop({ drainMs: 0 });
    await backend.store.dispose();
    await backend.stop();
  });

  /** Creates an answer in the other process. */
  async function createThere() {
    const created = await post(other, `${upstream.url}/x`);
    const url = locationOf(other, created);
    return { url, id: new URL(url).pathname.split('/').at(-1)!, call: upstream.calls.at(-1)! };
  }

  it('shows the answers of the other process, live', async () => {
    const { id, call } = await createThere();
    const rowOf = (states: Parameters<Parameters<typeof follow>[1]>[0]) =>
      [...states].flatMap(([process, { rows }]) =>
        [...rows.values()].filter((row) => row.id === id).map((row) => ({ process, ...row })),
      )[0];
    await follow(ops, (states, { self, peers }) => {
      const row = rowOf(states);
      if (row?.bytes !== 6) return false;
      expect(row.process).not.toBe(self);
      expect(peers).toEqual([{ id: row.process, state: 'live' }]);
      return true;
    });
    call.res.end('world');
    await follow(ops, (states) => rowOf(states)?.outcome === 'complete');
    const { frames } = await snapshotOf(ops);
    expect(frames.map(({ summary }) => summary.pid).sort()).toEqual([process.pid, other.pid].sort());
  });

  it('shows the life of such an answer, and its readers in both processes', async () => {
    const { url, id, call } = await createThere();
    const reads = [other.url, asked.url].map(async (origin) =>
      readSse(await fetch(withQuery(url.replace(other.url, origin), { live: 'sse' }))),
    );
    await follow(ops, (states) => {
      const all = [...states.values()];
      const there = all.some(({ rows }) =>
        [...rows.values()].some((row) => row.id === id && row.readers === 1),
      );
      return there && all.some(({ elsewhere }) => elsewhere[id] === 1);
    });
    await expect
      .poll(async () => {
        const { timelines } = await jsonOf<AnswerDetails>(`${ops}api/answers/${id}`);
        return Object.values(timelines)
          .map(({ events }) => events.map(({ type }) => type).join(' '))
          .sort();
      })
      .toEqual(['created first-byte reader-joined', 'reader-joined']);
    expect((await act(ops, `${id}/stop`)).status).toBe(200);
    await call.closed;
    await Promise.all(reads);
  });

  it('removes a deleted answer from the table of the other process', async () => {
    const { id } = await createThere();
    const has = (states: Parameters<Parameters<typeof follow>[1]>[0]) =>
      [...states.values()].some(({ rows }) => [...rows.values()].some((row) => row.id === id));
    await follow(ops, has);
    expect((await act(ops, `${id}/delete`)).status).toBe(200);
    await follow(ops, (states) => states.size === 2 && !has(states));
  });

  it('shows a process that died', async () => {
    await other.kill('SIGKILL');
    await follow(ops, (_, { peers }) => peers[0]?.state === 'silent' || peers[0]?.state === 'expired');
    await follow(ops, (_, { peers }) => peers[0]?.state === 'expired');
  });
}

needs('redis-server')('the inspector of processes on one Redis', () => {
  describePeers(async () => {
    const redis = await startRedis();
    return {
      options: { redis: redis.url },
      store: redisStore({ url: redis.url }),
      stop: () => redis.stop(),
    };
  });
});

describe('the inspector of processes on one Durable Streams server', () => {
  describePeers(async () => {
    const server = await startReferenceServer({ mode: 'memory' });
    return {
      options: { durableStreamsUrl: server.url },
      store: durableStreamsStore({ url: server.url }),
      stop: () => server.stop(),
    };
  });
});
