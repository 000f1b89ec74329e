import { describe } from 'vitest';
import { needs } from '../requirements.ts';
import { startReferenceServer } from '../store/durable-streams/reference-server.ts';
import { startRedis } from '../store/redis/servers.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { describeRecovery } from './recovery-suite.ts';

describe('a recovery in the next process on an embedded store', () => {
  describeRecovery(1, async () => {
    const folder = await temporaryFolder();
    return { options: { dataDir: folder.path }, stop: () => folder.remove() };
  });
});

needs('redis-server')('a recovery in another process on one Redis', () => {
  describeRecovery(3, async () => {
    const redis = await startRedis();
    return { options: { redis: redis.url }, stop: () => redis.stop() };
  });
});

describe('a recovery in another process on one Durable Streams server', () => {
  describeRecovery(3, async () => {
    const server = await startReferenceServer({ mode: 'memory' });
    return { options: { durableStreamsUrl: server.url }, stop: () => server.stop() };
  });
});
