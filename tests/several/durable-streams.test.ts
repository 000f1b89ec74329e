import { describe } from 'vitest';
import { startReferenceServer } from '../store/durable-streams/reference-server.ts';
import { describeSeveral } from './suite.ts';

describe('several proxies on one Durable Streams server', () => {
  describeSeveral(async () => {
    const server = await startReferenceServer({ mode: 'memory' });
    return { options: { durableStreamsUrl: server.url }, stop: () => server.stop() };
  });
});
