import type { DurableFetchOptions } from '../types.ts';
import type { ChatChunk } from './chat-chunks.ts';
import type { ChatRequestOptions } from './chat-request.ts';
import type { ChatMessage, Turn } from './turns.ts';

/** Options that `createDurableChatTransport` and `useDurableChat` share. */
export interface ChatConnectionOptions<MESSAGE extends ChatMessage>
  extends ChatRequestOptions<MESSAGE>, Omit<DurableFetchOptions, 'resumeFrom'> {
  /**
   * Returns the name by which an answer is found after a reload. If the messages differ, the answer is a new one.
   * @default the id of the chat
   */
  getRequestId?: ((messages: MESSAGE[], call: { readonly chatId: string }) => string) | undefined;
  /**
   * Requires `finish` at the end of an answer: an answer of a backend that broke down ends without it. With false,
   * `[DONE]` is enough.
   * @default true
   */
  requireFinish?: boolean | undefined;
}

export interface ConnectionHooks {
  /** Stores the messages that were sent, for a page that has to show them after a reload. @default false */
  readonly keepMessages?: boolean;
  /** Called when an answer has started, so that other pages can resume it. */
  readonly onBegan?: (chatId: string, turn: Turn) => void;
  /** Called with the id that the backend sent for a message after its first chunk. */
  readonly onLateName?: (given: string, messageId: string) => void;
  /** Called when the caller is known, before anything is read or sent, with the hash of the scope. */
  readonly onScope?: (scopeKey: string) => void;
}

export interface AttachOptions {
  /** True to ask the proxy too, for an answer of another device. */
  readonly lookUp: boolean;
  /** The turn, as another tab reported it. @default the stored turn */
  readonly turn?: Turn | undefined;
  /** Returns false for a stored turn that is not the latest of the chat. */
  readonly isCurrent?: ((turn: Turn) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Attached {
  readonly stream: ReadableStream<ChatChunk>;
  readonly turn: Turn;
}
