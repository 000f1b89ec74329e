import { needs } from '../../requirements.ts';
import { describeStore } from '../contract/index.ts';
import { startCluster } from './cluster.ts';
import { storesOver } from './factory.ts';

for (const program of ['redis-server', 'valkey-server'] as const) {
  needs(program)(`Redis store on ${program}`, () => {
    describeStore(
      'a cluster of three',
      storesOver(() => startCluster({ program })),
    );
  });
}
