import { needs } from '../../requirements.ts';
import { describeStore } from '../contract/index.ts';
import { startCluster } from './cluster.ts';
import { storesOver } from './factory.ts';

needs('redis-server')('Redis store', () => {
  describeStore('a cluster of three', storesOver(startCluster));
});
