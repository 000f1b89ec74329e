export {
  createDurableHandler,
  type DurableHandler,
  type DurableHandlerOptions,
  type WebUpstreamDraft,
} from './web-handler.ts';
export type { CloseOptions } from './proxy.ts';
export { ConfigurationError } from './shared/errors.ts';
export type * from './store/types.ts';
export type * from './coordination/types.ts';
export type { CorsOptions, CorsOrigin } from './http/cors-options.ts';
export type { UpstreamDispatcher } from './upstream/outbound.ts';
export type { ExposeUpstreamHeaders } from './upstream/response-headers.ts';
export type { Logger } from './shared/logger.ts';
export type * from './telemetry/types.ts';
export type { MaybePromise } from './shared/maybe-promise.ts';
export type { OnEvent, ProxyEvent, ReadMode, StreamEvent } from './shared/events.ts';
export type * from './recovery/types.ts';
export type { WebhookOptions } from './webhooks/options.ts';
export { ERROR_STATUS, type ErrorCode } from '../protocol/errors.ts';
export { OUTCOMES, type Outcome, type OutcomeError } from '../protocol/outcomes.ts';
export type { FormatName, Usage } from '../protocol/usage.ts';
