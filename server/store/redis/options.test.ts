import { spawnSync } from 'node:child_process';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../../shared/errors.ts';
import { redisStore, type RedisStoreOptions } from './index.ts';
import { checkOptions } from './options.ts';

const URL = 'redis://user:hunter2@localhost:6379';

describe('the options of a Redis store', () => {
  it('detect the kind of the client, whatever its protocol', () => {
    const sentinelRootNodes = [{ host: 'localhost', port: 26_379 }];
    for (const RESP of [2, 3] as const) {
      expect(checkOptions({ client: createClient({ url: URL, RESP }) })).toMatchObject({ kind: 'client' });
      expect(checkOptions({ client: createCluster({ rootNodes: [{ url: URL }], RESP }) })).toMatchObject({
        kind: 'cluster',
      });
      expect(checkOptions({ client: createSentinel({ name: 'x', sentinelRootNodes, RESP }) })).toMatchObject({
        kind: 'sentinel',
      });
    }
    expect(checkOptions({ url: URL })).toEqual({
      keyPrefix: 'durable-proxy:',
      requestTimeoutMs: 10_000,
      appendTimeoutMs: 30_000,
      url: URL,
    });
  });

  it.each([
    ['nothing', undefined],
    ['neither', {}],
    ['both', { url: URL, client: createClient() }],
    ['another protocol', { url: 'http://user:hunter2@localhost' }],
    ['no URL', { url: 'hunter2@localhost' }],
    ['a prefix with braces', { url: URL, keyPrefix: 'a{b}' }],
    ['a pool', { client: createClientPool() }],
    ['no client', { client: {} }],
  ])('are rejected at once, with an example and without the password: %s', (_, options) => {
    const refused = () => redisStore(options as unknown as RedisStoreOptions);
    expect(refused).toThrow(ConfigurationError);
    expect(refused).toThrow("redisStore({ url: 'redis://localhost:6379' })");
    expect(refused).not.toThrow('hunter2');
  });

  it('name the package to install for a url', () => {
    const script = `
      import { register } from 'node:module';
      const hooks = 'export const resolve = (name, context, next) => name === "redis" ? next("no-such-package") : next(name, context);';
      register('data:text/javascript,' + encodeURIComponent(hooks));
      const { redisStore } = await import('./server/store/redis/index.ts');
      await redisStore({ url: '${URL}' }).open().catch((error) => console.log(error.name, error.message));
    `;
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(child.stdout).toContain(
      'ConfigurationError redisStore({ url }) needs the package redis: npm install redis',
    );
  });
});
