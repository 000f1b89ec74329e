import type { DurableFetchOptions } from '../types.ts';
import type { ChatChunk } from './chat-chunks.ts';
import type { ChatRequestOptions } from './chat-request.ts';
import type { ChatMessage, Turn } from './turns.ts';

/** Options that `createDurableChatTransport` and `useDurableChat` share. */
export interface ChatConnectionOptions<MESSAGE extends ChatMessage>
  extends ChatRequestOptions<MESSAGE>, Omit<DurableFetchOptions, 'resumeFrom'> {
  /**
   * The name under which an answer is found after a reload. Default: the chat's id; that the messages differ
   * tells a new answer from one to take up.
   */
  getRequestId?: ((messages: MESSAGE[], call: { readonly chatId: string }) => string) | undefined;
  /**
   * False: `[DONE]` alone will do as an answer's end. Default true: without `finish` an answer counts as cut
   * off, since that is how a backend looks that broke down.
   */
  requireFinish?: boolean | undefined;
}

export interface ConnectionHooks {
  /** Keep the messages that were sent, for a page that has to show them after a reload. */
  readonly keepMessages?: boolean;
  /** Called when an answer has begun and can be taken up by others. */
  readonly onBegan?: (chatId: string, turn: Turn) => void;
  /** Called with the id that the backend gave a message after its first chunk, which had to have one. */
  readonly onLateName?: (given: string, messageId: string) => void;
  /** Called when the caller is known, before anything is read or sent, with the hash of the scope. */
  readonly onScope?: (scopeKey: string) => void;
}

export interface AttachOptions {
  /** Ask the proxy too, for an answer that another device began. */
  readonly lookUp: boolean;
  /** What another tab told of the turn; by default what the storage knows. */
  readonly turn?: Turn | undefined;
  /** Returns false for a stored turn that the chat has moved on from. */
  readonly isCurrent?: ((turn: Turn) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Attached {
  readonly stream: ReadableStream<ChatChunk>;
  readonly turn: Turn;
}
