import { needs } from '../requirements.ts';
import { startRedis } from '../store/redis/servers.ts';
import { describeSeveral } from './suite.ts';

needs('redis-server')('several proxies on one Redis', () => {
  describeSeveral(async () => {
    const redis = await startRedis();
    return { options: { redis: redis.url }, stop: () => redis.stop() };
  });
});
