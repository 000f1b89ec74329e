export { durableProxy, type DurableProxyRouter } from './middleware.ts';
export { createProxyServer, type ProxyServer, type ProxyServerOptions } from './standalone.ts';
export type { DurableProxyOptions, PrepareUpstream, UpstreamDraft } from './options.ts';
export type { Authenticate } from './auth/service.ts';
export type { CloseOptions } from './proxy.ts';
export type { ProxyEvent, ReadMode, OnEvent } from './events.ts';
export type { Logger } from './logger.ts';
export { ConfigurationError } from './errors.ts';
export { createServiceToken } from './auth/tokens.ts';
export { signStreamUrl } from './auth/signed-url.ts';
export { embeddedStore } from './store/embedded/index.ts';
export { durableStreamsStore } from './store/durable-streams/index.ts';
export {
  StoreError,
  type Follower,
  type Frame,
  type Offset,
  type StoreErrorCode,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
  type StreamStore,
} from './store/types.ts';
export type { Outcome, OutcomeError } from '../protocol/outcomes.ts';
