import type { StreamStore } from '../types.ts';
import { connect } from './connect.ts';
import { checkOptions, type RedisStoreOptions } from './options.ts';
import { RedisStore } from './store.ts';

export type * from './clients.ts';
export type { RedisClientOptions, RedisStoreOptions, RedisUrlOptions } from './options.ts';
export type * from '../types.ts';
export type * from '../../coordination/types.ts';
export type { Logger } from '../../shared/logger.ts';
export { OUTCOMES, type Outcome, type OutcomeError } from '../../../protocol/outcomes.ts';
export type { FormatName, Usage } from '../../../protocol/usage.ts';

/**
 * Creates a store on Redis 7 or Valkey: standalone, under Sentinel, or a cluster. Any number of processes may share
 * one. Acknowledged writes are as durable as Redis is configured to be: see "Redis" in docs/deployment.md.
 *
 * @param options a URL or a client, and timeouts.
 * @throws ConfigurationError for invalid options.
 * @example
 * app.use('/v1/proxy', durableProxy({ jwtSecret, allowlist, store: redisStore({ url: 'redis://localhost:6379' }) }))
 */
export function redisStore(options: RedisStoreOptions): StreamStore {
  const checked = checkOptions(options);
  return new RedisStore((onGap) => connect(checked, onGap), checked.keyPrefix, checked);
}
