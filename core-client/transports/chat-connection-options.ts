import type { DurableFetchOptions } from '../types.ts';
import type { ChatChunk } from './chat-chunks.ts';
import type { ChatRequestOptions } from './chat-request.ts';
import type { ChatMessage, Turn } from './turns.ts';

/** Options that `createDurableChatTransport` and `useDurableChat` share. */
export interface ChatConnectionOptions<MESSAGE extends ChatMessage>
  extends ChatRequestOptions<MESSAGE>, Omit<DurableFetchOptions, 'resumeFrom'> {
  /**
   * Returns the name by which an answer is found after a reload. If the messages differ, the answer is a new one.
   * @param messages messages of the request, the newest one last.
   * @param call `chatId` is the id of the chat.
   * @default the id of the chat
   */
  getRequestId?: ((messages: MESSAGE[], call: { readonly chatId: string }) => string) | undefined;
  /**
   * Requires a `finish` chunk at the end of an answer, because the answer of a failed backend ends without it. If false,
   * `[DONE]` is enough.
   * @default true
   */
  requireFinish?: boolean | undefined;
}

/** Hooks with which `useDurableChat` extends a `ChatConnection`. */
export interface ConnectionHooks {
  /** True to store the sent messages, so that a page can show them after a reload. @default false */
  readonly keepMessages?: boolean;
  /** Called when an answer has started, so that other pages can resume it. */
  readonly onBegan?: (chatId: string, turn: Turn) => void;
  /** Called if the backend sends the id of a message after the first chunk. `given` is the id used so far. */
  readonly onLateName?: (given: string, messageId: string) => void;
  /** Called with the hash of the scope when the caller is known, before any read or request. */
  readonly onScope?: (scopeKey: string) => void;
}

/** Options of `ChatConnection.attach`. */
export interface AttachOptions {
  /** True to also ask the proxy for an answer that another device started. */
  readonly lookUp: boolean;
  /** The turn, as another tab reported it. @default the stored turn */
  readonly turn?: Turn | undefined;
  /** Returns false for a stored turn that is not the latest of the chat. */
  readonly isCurrent?: ((turn: Turn) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A resumed answer. */
export interface Attached {
  readonly stream: ReadableStream<ChatChunk>;
  readonly turn: Turn;
}
