/** Entry point `durable-proxy/react/chat`: chats with the AI SDK. Requires React and `@ai-sdk/react`. */
export { useDurableChat, type UseDurableChatHelpers, type UseDurableChatOptions } from './useDurableChat.ts';
export type {
  PreparedRequest,
  PrepareSendMessagesRequest,
  Resolvable,
  SendMessagesOptions,
} from '../core-client/transports/chat-request.ts';
export type { ChatMessage } from '../core-client/transports/turns.ts';
export type { ChatConnectionOptions } from '../core-client/transports/chat-connection-options.ts';
export type { DeviceOptions } from './remote-answers.ts';
export type { ChatControllerOptions, ChatInit } from './chat-controller.ts';
export * from '../core-client/public-errors.ts';
export type * from '../core-client/types.ts';
export { OUTCOMES, type Outcome } from '../protocol/outcomes.ts';
export type { FormatName, Usage } from '../protocol/usage.ts';
