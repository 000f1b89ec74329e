export { StreamStatus, type StreamStatusProps } from './StreamStatus.tsx';
export { useDurableChat, type UseDurableChatHelpers, type UseDurableChatOptions } from './useDurableChat.ts';
export {
  useDurableFetch,
  type DurableFetchStatus,
  type UseDurableFetchOptions,
  type UseDurableFetchResult,
} from './useDurableFetch.ts';
export { useResumption, type ResumptionView, type ResumptionWords } from './useResumption.ts';
export type {
  PreparedRequest,
  PrepareSendMessagesRequest,
  Resolvable,
  SendMessagesOptions,
} from '../core-client/transports/chat-request.ts';
export type { ChatMessage } from '../core-client/transports/turns.ts';
export type { ChatConnectionOptions } from '../core-client/transports/chat-connection.ts';
export type { ChatControllerOptions, ChatInit } from './chat-controller.ts';
export type { ParseMode } from './parsers.ts';
export type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
export type * from '../core-client/types.ts';
export { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
