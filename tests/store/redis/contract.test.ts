import { needs } from '../../requirements.ts';
import { describeStore } from '../contract/index.ts';
import { storesOver } from './factory.ts';
import { startRedis } from './servers.ts';

for (const program of ['redis-server', 'valkey-server'] as const) {
  needs(program)(`Redis store on ${program}`, () => {
    describeStore(
      'one server',
      storesOver(() => startRedis({}, program)),
    );
  });
}
