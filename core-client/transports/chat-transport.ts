import { ChatConnection } from './chat-connection.ts';
import type { ChatConnectionOptions } from './chat-connection-options.ts';
import type { SendMessagesOptions } from './chat-request.ts';
import type { ResumptionSource } from './resumption-store.ts';
import type { ChatMessage } from './turns.ts';

/** Options of `createDurableChatTransport`: see `ChatConnectionOptions` and `DurableFetchOptions`. */
export type DurableChatTransportOptions<MESSAGE extends ChatMessage> = ChatConnectionOptions<MESSAGE>;

/** A `ChatTransport` of the AI SDK, versions 5 to 7. */
export interface DurableChatTransport<MESSAGE extends ChatMessage> {
  /** State of the newest answer, for `useResumption`. */
  readonly resumption: ResumptionSource;
  /** The stream of `reconnectToStream` begins with the answer's first part. Versions 6 and 7 of the SDK read this. */
  readonly resumeStreamIsReplay: true;
  /**
   * Sends the chat, and returns a stream that reconnects. Aborting the signal stops reading, and the answer only if
   * `abortUpstream` is set. The chunks are those that the endpoint sent: each version of the SDK has its own types.
   * @param options chat, messages and signal, as `useChat` passes them.
   * @throws AnswerRequestError if the proxy, the endpoint or the provider refused; DurableNetworkError if the proxy did
   * not respond.
   */
  sendMessages(options: SendMessagesOptions<MESSAGE>): Promise<ReadableStream>;
  /**
   * Replays the answer in progress from its beginning, also one of another device.
   * @param options `chatId` is the id of the chat. `abortSignal` stops reading.
   * @returns null if no answer is known under the chat's id, or if it is finished and was read.
   */
  reconnectToStream(
    options: Pick<SendMessagesOptions<MESSAGE>, 'chatId'> & {
      readonly abortSignal?: AbortSignal | undefined;
    },
  ): Promise<ReadableStream | null>;
  /**
   * Stops the answer in progress on the server.
   * @param chatId id of the chat. Has no effect if the chat has no answer in progress.
   */
  abort(chatId: string): Promise<void>;
  /**
   * Removes everything that is stored for this user (`scope`), also messages in IndexedDB, and releases open reads
   * without stopping their answers. For logging out.
   * @throws DurableStorageError if the storage failed or cannot list its keys.
   */
  forget(): Promise<void>;
}

/**
 * Creates a transport for chats of the AI SDK that survive lost connections, reloads and deploys.
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
