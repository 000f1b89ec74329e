export {
  createDurableHandler,
  type DurableHandler,
  type DurableHandlerOptions,
  type WebUpstreamDraft,
} from './web-handler.ts';
export type { CloseOptions } from './proxy.ts';
export { ConfigurationError } from './shared/errors.ts';
