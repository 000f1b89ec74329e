export {
  createDurableChatTransport,
  type DurableChatTransport,
  type DurableChatTransportOptions,
} from './chat-transport.ts';
export { AnswerRequestError, MalformedAnswerError, TruncatedAnswerError } from './errors.ts';
export type { ResumptionSource } from './resumption-store.ts';
export { createDurableAdapter, type DurableAdapter, type DurableAdapterOptions } from './tanstack-adapter.ts';
export { wasResumed } from './was-resumed.ts';
