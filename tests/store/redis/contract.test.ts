import { needs } from '../../requirements.ts';
import { describeStore } from '../contract/index.ts';
import { storesOver } from './factory.ts';
import { startRedis } from './servers.ts';

needs('redis-server')('Redis store', () => {
  describeStore('one server', storesOver(startRedis));
});
