import { ChatConnection } from './chat-connection.ts';
import type { ChatConnectionOptions } from './chat-connection-options.ts';
import type { SendMessagesOptions } from './chat-request.ts';
import type { ResumptionSource } from './resumption-store.ts';
import type { ChatMessage } from './turns.ts';

/** See `ChatConnectionOptions` and, for what concerns the proxy, `DurableFetchOptions`. */
export type DurableChatTransportOptions<MESSAGE extends ChatMessage> = ChatConnectionOptions<MESSAGE>;

/** The AI SDK's `ChatTransport`, of 5, 6 and 7 alike. */
export interface DurableChatTransport<MESSAGE extends ChatMessage> {
  /** Where the newest answer stands, for `useResumption`. */
  readonly resumption: ResumptionSource;
  /** What `reconnectToStream` gives begins with the answer's first part. The SDK's 6 and 7 heed it. */
  readonly resumeStreamIsReplay: true;
  /**
   * Sends the chat; the stream reconnects inside. Aborting the signal stops reading, not the answer, unless
   * `abortUpstream` is set. Each major has its own union of chunks: what came over the wire passes through.
   */
  sendMessages(options: SendMessagesOptions<MESSAGE>): Promise<ReadableStream>;
  /**
   * Replays the answer under way from its beginning, one that another device began too. Null when nothing is
   * known under the chat's id, and when it is over and was read.
   */
  reconnectToStream(
    options: Pick<SendMessagesOptions<MESSAGE>, 'chatId'> & {
      readonly abortSignal?: AbortSignal | undefined;
    },
  ): Promise<ReadableStream | null>;
  /** Stops the answer under way on the server. */
  abort(chatId: string): Promise<void>;
  /**
   * Removes all that is stored for this user (`scope`), messages in IndexedDB included, and releases open reads without
   * stopping their answers. For when a user logs out.
   * @throws DurableStorageError if the storage failed or cannot list its keys.
   */
  forget(): Promise<void>;
}

/**
 * Makes the AI SDK's chats survive drops, reloads and deploys.
 *
 * @param options the endpoint, where the proxy is, and how requests are made.
 * @example
 * const transport = createDurableChatTransport({ api: '/api/chat', proxyUrl: '/v1/proxy' });
 * const chat = useChat({ id: 'chat-1', transport, resume: true });
 */
export function createDurableChatTransport<MESSAGE extends ChatMessage>(
  options: DurableChatTransportOptions<MESSAGE>,
): DurableChatTransport<MESSAGE> {
  const connection = new ChatConnection(() => options);
  return {
    resumeStreamIsReplay: true,
    resumption: connection.resumption,
    sendMessages: (call) => connection.send(call),
    async reconnectToStream({ chatId, abortSignal }) {
      const attached = await connection.attach(chatId, { lookUp: true, signal: abortSignal });
      return attached?.stream ?? null;
    },
    abort: (chatId) => connection.abort(chatId),
    forget: () => connection.forget(),
  };
}
