import { needs } from '../../requirements.ts';
import { describeStore } from '../contract/index.ts';
import { startCluster } from './cluster.ts';
import { storesOver } from './factory.ts';

// Valkey runs the same suite on one server.
needs('redis-server')('Redis store on redis-server', () => {
  describeStore(
    'a cluster of three',
    storesOver(() => startCluster()),
  );
});
