export { durableProxy, type DurableProxyRouter } from './middleware.ts';
export { createProxyServer, type ProxyServer } from './standalone.ts';
export type { DurableProxyOptions, PrepareUpstream, ProxyServerOptions, UpstreamDraft } from './options.ts';
export type { CorsOptions, CorsOrigin } from './http/cors-options.ts';
export type { MaybePromise } from './shared/maybe-promise.ts';
export type { WebhookOptions } from './webhooks/options.ts';
export type { Authenticate } from './auth/service.ts';
export type { CloseOptions } from './proxy.ts';
export type { ProxyEvent, ReadMode, OnEvent, StreamEvent } from './shared/events.ts';
export type { Logger } from './shared/logger.ts';
export { ConfigurationError } from './shared/errors.ts';
export { DEFAULT_DROP_REQUEST_HEADERS } from './upstream/headers.ts';
export { openaiResponsesRecovery } from './recovery/openai-responses.ts';
export { geminiInteractionsRecovery } from './recovery/gemini-interactions.ts';
export {
  lastEventIdRecovery,
  type LastEventIdRecoveryOptions,
  type LastEventIdStream,
} from './recovery/last-event-id.ts';
export type {
  RecoverableExchange,
  RecoverableRequest,
  RecoverableStream,
  RecoveryRequest,
  ResumeRequest,
  StoredEvents,
  UpstreamEvent,
  UpstreamRecovery,
} from './recovery/types.ts';
export { deriveServiceSecret } from './auth/keyring.ts';
export { createServiceToken, type ServiceTokenOptions } from './auth/tokens.ts';
export { signStreamUrl, type SignStreamUrlOptions } from './auth/signed-url.ts';
export { embeddedStore, type EmbeddedStoreOptions } from './store/embedded/index.ts';
export { durableStreamsStore } from './store/durable-streams/index.ts';
export type { DurableStreamsStoreOptions } from './store/durable-streams/options.ts';
export {
  StoreError,
  type Follower,
  type Frame,
  type Offset,
  type StoreDescription,
  type StoreErrorCode,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
  type StreamStore,
} from './store/types.ts';
export type * from './coordination/types.ts';
export type { Readiness } from './telemetry/endpoints.ts';
export type * from './telemetry/types.ts';
export type { UpstreamDispatcher } from './upstream/outbound.ts';
export type { ExposeUpstreamHeaders } from './upstream/response-headers.ts';
export { ERROR_STATUS, type ErrorCode } from '../protocol/errors.ts';
export { OUTCOMES, type Outcome, type OutcomeError } from '../protocol/outcomes.ts';
export type { FormatName, Usage } from '../protocol/usage.ts';
