export {
  createDurableChatTransport,
  type DurableChatTransport,
  type DurableChatTransportOptions,
} from './chat-transport.ts';
export {
  type AnswerRequestErrorOptions,
  AnswerRequestError,
  MalformedAnswerError,
  ModelError,
  TruncatedAnswerError,
} from './errors.ts';
export type { ChatConnectionOptions } from './chat-connection-options.ts';
export type {
  PreparedRequest,
  PrepareSendMessagesRequest,
  Resolvable,
  SendMessagesOptions,
} from './chat-request.ts';
export type { ResumptionSource } from './resumption-store.ts';
export {
  createDurableAdapter,
  type DurableAdapter,
  type DurableAdapterOptions,
  type RunContext,
  type RunData,
} from './tanstack-adapter.ts';
export type { TanStackMessage } from './tanstack-wire.ts';
export type { ChatMessage } from './turns.ts';
export { wasResumed } from './was-resumed.ts';
export * from '../public-errors.ts';
export type * from '../types.ts';
export { OUTCOMES, type Outcome } from '../../protocol/outcomes.ts';
export type { FormatName, Usage } from '../../protocol/usage.ts';
