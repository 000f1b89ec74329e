import type { StreamStore } from '../types.ts';
import { parseOptions, type DurableStreamsStoreOptions } from './options.ts';
import { DurableStreamsStore } from './store.ts';

export type { DurableStreamsStoreOptions } from './options.ts';
export type * from '../types.ts';
export type * from '../../coordination/types.ts';
export type { Logger } from '../../shared/logger.ts';
export { OUTCOMES, type Outcome, type OutcomeError } from '../../../protocol/outcomes.ts';
export type { FormatName, Usage } from '../../../protocol/usage.ts';

/**
 * Creates a store on a server of the Durable Streams base protocol, which any number of proxies may share:
 * `durableStreamsStore({ url: 'https://streams.example.com/v1/my-app', headers: { authorization: 'Bearer …' } })`.
 * @param options the URL of the server, headers and timeouts.
 * @throws ConfigurationError for invalid options.
 */
export function durableStreamsStore(options: DurableStreamsStoreOptions): StreamStore {
  return new DurableStreamsStore(parseOptions(options));
}
