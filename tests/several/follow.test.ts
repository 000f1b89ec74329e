import { describe, expect, it, onTestFinished } from 'vitest';
import { STREAM_KEY } from '../../protocol/headers.ts';
import { needs } from '../requirements.ts';
import { startReferenceServer } from '../store/durable-streams/reference-server.ts';
import { startRedis } from '../store/redis/servers.ts';
import { followName } from '../support/followed.ts';
import { startProxyProcess, type ProxyProcessOptions } from '../support/process.ts';
import { startUpstream, write } from '../support/upstream.ts';
import { post } from '../support/wire.ts';

const NAME = 'one chat';

async function expectFollowed(options: ProxyProcessOptions): Promise<void> {
  const [a, b, c] = await Promise.all([1, 2, 3].map(() => startProxyProcess(options)));
  onTestFinished(async () => {
    await Promise.all([a, b, c].map((proxy) => proxy!.kill('SIGKILL')));
  });
  const upstream = await startUpstream(({ res }) => void write(res, 'begin'));
  onTestFinished(() => upstream.close());
  const create = async (base: string) => {
    const created = await post({ base }, `${upstream.url}/x`, { headers: { [STREAM_KEY]: NAME } });
    return /[0-9a-f-]{36}/.exec(created.headers.get('location')!)![0];
  };

  // The name is followed before it has a stream.
  const followers = await Promise.all([b, c].map((proxy) => followName(proxy!.base, NAME)));
  const first = await create(a!.base);
  for (const followed of followers)
    expect(await followed.next()).toMatchObject({ streamId: first, state: 'open' });
  (await upstream.call(0)).res.end();
  for (const followed of followers)
    expect(await followed.next()).toMatchObject({ streamId: first, state: 'closed', outcome: 'complete' });

  // A follower that lost its connection continues at another process.
  await followers[0]!.close();
  const second = await create(a!.base);
  const continued = await followName(c!.base, NAME, { lastId: followers[0]!.lastId });
  for (const followed of [continued, followers[1]!])
    expect(await followed.next()).toMatchObject({ streamId: second, state: 'open' });

  // The process that has the stream dies.
  await a!.kill('SIGKILL');
  for (const followed of [continued, followers[1]!]) {
    expect(await followed.next()).toMatchObject({ streamId: second, outcome: 'interrupted' });
    await followed.close();
  }
}

needs('redis-server')('a name that three processes on one Redis follow', () => {
  it('[FOLLOW-3][FOLLOW-4] has the streams and ends of all of them', { timeout: 60_000 }, async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    await expectFollowed({ redis: redis.url });
  });
});

describe('a name that three processes on one Durable Streams server follow', () => {
  it('[FOLLOW-3][FOLLOW-4] has the streams and ends of all of them', { timeout: 60_000 }, async () => {
    const server = await startReferenceServer({ mode: 'memory' });
    onTestFinished(() => server.stop());
    await expectFollowed({ durableStreamsUrl: server.url });
  });
});
