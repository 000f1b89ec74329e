import { expect, it } from 'vitest';
import { silentLogger } from '../../../shared/logger.ts';
import { StoreError } from '../../types.ts';
import type { Access } from './access.ts';
import { processScripts } from './process-scripts.ts';
import { RedisProcesses } from './processes.ts';

it('subscribes once if its start is repeated after a failure', async () => {
  let subscriptions = 0;
  let isFull = true;
  const access = {
    processes: processScripts('PUBLISH'),
    keys: (id: string) => ({ meta: `${id}:meta`, log: `${id}:log`, live: `${id}:live` }),
    topics: {
      listen: () => {
        subscriptions += 1;
        return Promise.resolve(() => Promise.resolve(void (subscriptions -= 1)));
      },
    },
    tend: () => undefined,
    run: () =>
      isFull
        ? Promise.reject(new StoreError('UNAVAILABLE', 'out of memory'))
        : Promise.resolve(['OK', 'epoch']),
  } as unknown as Access;
  const processes = new RedisProcesses({ use: () => access, logger: silentLogger, ttlSeconds: 60 });
  const start = () => processes.start(() => undefined);
  await expect(start()).rejects.toThrow('out of memory');
  await expect(start()).rejects.toThrow('out of memory');
  isFull = false;
  await start();
  expect(subscriptions).toBe(1);
  await processes.stop();
  expect(subscriptions).toBe(0);
});
