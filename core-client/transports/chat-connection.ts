import { createDurableFetch } from '../durable-fetch.ts';
import { isDurableNetworkError, isDurableStreamError } from '../errors.ts';
import { defaultStorage } from '../storage.ts';
import type {
  DurableFetch,
  DurableFetchOptions,
  DurableRequestInit,
  DurableResponse,
  Resumption,
} from '../types.ts';
import { asChatError, chatChunks, type ChatChunk } from './chat-chunks.ts';
import { chatRequest, type ChatRequestOptions, type SendMessagesOptions } from './chat-request.ts';
import { AnswerRequestError } from './errors.ts';
import { ResumptionStore } from './resumption-store.ts';
import { TurnStore, type ChatMessage, type ToolResult, type Turn } from './turns.ts';
import { unlessAborted } from './unless-aborted.ts';
import { markResumed } from './was-resumed.ts';

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
}

export interface AttachOptions {
  /** Ask the proxy too, for an answer that another device began. */
  readonly lookUp: boolean;
  /** What another tab told of the turn; by default what the storage knows. */
  readonly turn?: Turn | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Attached {
  readonly stream: ReadableStream<ChatChunk>;
  readonly turn: Turn;
}

interface Call {
  readonly chatId: string;
  turn: Turn;
  response: Promise<DurableResponse | null>;
  /** From now on the connection's resumption is that of this call. */
  readonly show: () => void;
}

/** Chats behind the proxy: sends, takes up again, stops. The transport and the hook both stand on it. */
export class ChatConnection<MESSAGE extends ChatMessage> {
  readonly resumption = new ResumptionStore();
  readonly #options: () => ChatConnectionOptions<MESSAGE>;
  readonly #client: DurableFetch;
  readonly #turns: TurnStore;
  readonly #calls = new Map<string, Call>();
  readonly #hooks: ConnectionHooks;
  #latest: Call | undefined;

  /** `options` is asked at each call, but for `proxyUrl`, the storage and `credentials`, which stay. */
  constructor(options: () => ChatConnectionOptions<MESSAGE>, hooks: ConnectionHooks = {}) {
    const { proxyUrl, storage = defaultStorage(), storagePrefix = 'durable-proxy', credentials } = options();
    this.#options = options;
    this.#hooks = hooks;
    this.#client = createDurableFetch({
      proxyUrl,
      storage,
      storagePrefix,
      credentials,
      fetch: (input, init) => (options().fetch ?? fetch)(input, init),
    });
    this.#turns = new TurnStore(storage, `${storagePrefix}:turn:${proxyUrl}`, (warning) =>
      options().onWarning?.(warning),
    );
  }

  /** @throws AnswerRequestError when the endpoint or the proxy refuses, and what the client throws. */
  async send(call: SendMessagesOptions<MESSAGE>): Promise<ReadableStream<ChatChunk>> {
    const options = this.#options();
    const { chatId, messages, abortSignal } = call;
    const { url, init } = await chatRequest(options, call);
    const continues = continuedMessage(call);
    const turn: Turn = {
      requestId: options.getRequestId?.(messages, { chatId }) ?? chatId,
      ...(continues !== undefined && { continues }),
      ...(this.#hooks.keepMessages && { messages }),
    };
    await this.#turns.set(chatId, turn);
    const active = this.#start(chatId, turn, { quiet: false }, (own) =>
      this.#client(url, { ...init, ...own }),
    );
    const response = await this.#settle(active, abortSignal);
    if (!response?.ok || !response.body) {
      this.#end(active);
      const text = (await response?.text().catch(() => '')) ?? '';
      throw response
        ? AnswerRequestError.of(response, text)
        : new AnswerRequestError('The chat endpoint refused.', 0);
    }
    await this.#note(active, { streamId: response.streamId });
    if (!active.turn.stopped) this.#hooks.onBegan?.(chatId, active.turn);
    return this.#open(active, response, abortSignal);
  }

  /** Null when nothing is known, when it is over and was read, and when it was stopped here. */
  async attach(chatId: string, { lookUp, turn: told, signal }: AttachOptions): Promise<Attached | null> {
    const kept = told ?? (await this.#turns.get(chatId));
    if (!lookUp && (!kept || kept.stopped)) return null;
    const turn = kept && !kept.stopped ? kept : { requestId: chatId };
    const active = this.#start(chatId, turn, { quiet: turn !== kept }, (own) =>
      this.#client.resume(turn.requestId, { ...own, ...(signal && { signal }), streamId: told?.streamId }),
    );
    try {
      const response = await this.#settle(active, signal);
      if (response?.body && !isStopped(kept, response)) {
        // The newest answer under this name need not be the one that was kept here.
        if (turn.streamId && turn.streamId !== response.streamId) active.turn = { requestId: turn.requestId };
        active.show();
        await this.#note(active, { streamId: response.streamId });
        return { stream: this.#open(active, response, signal), turn: active.turn };
      }
      await response?.body?.cancel();
    } catch (error) {
      this.#leave(active);
      throw error;
    }
    this.#leave(active);
    await this.#turns.remove(chatId, kept?.streamId);
    return null;
  }

  /**
   * Stops the answer under way on the server, and sees to it that no later page takes it up. Does nothing
   * when there is none. Rejects when the server could not be told.
   */
  async abort(chatId: string): Promise<void> {
    const active = this.#calls.get(chatId);
    if (!active) return;
    await this.#note(active, { stopped: true, messages: undefined, toolResults: undefined });
    // A POST that is on its way has made, or will make, a stream: it is stopped as soon as it has a name.
    const response = await active.response.catch(() => null);
    if (!response?.ok) return;
    await this.#note(active, { streamId: response.streamId });
    await response.abort();
  }

  /** Notes a tool's result, for a replay after a reload that would ask for it again. */
  async keepToolResult(chatId: string, result: ToolResult): Promise<void> {
    const active = this.#calls.get(chatId);
    if (active) await this.#note(active, { toolResults: [...(active.turn.toolResults ?? []), result] });
  }

  /** `quiet`: nothing is shown of it until it turned out to be something. */
  #start(
    chatId: string,
    turn: Turn,
    { quiet }: { readonly quiet: boolean },
    fetch: (own: DurableRequestInit) => Promise<DurableResponse | null>,
  ): Call {
    const options = this.#options();
    let newest: Resumption | undefined;
    const show = () => {
      quiet = false;
      this.#latest = active;
      if (newest) this.resumption.set(newest);
    };
    const active: Call = { chatId, turn, response: Promise.resolve(null), show };
    this.#calls.set(chatId, active);
    if (!quiet) show();
    active.response = fetch({
      proxyAuthorization: options.proxyAuthorization,
      authorizationInQuery: options.authorizationInQuery,
      autoResume: options.autoResume,
      abortUpstream: options.abortUpstream,
      maxReconnectAttempts: options.maxReconnectAttempts,
      reconnectTimeoutMs: options.reconnectTimeoutMs,
      retryTimeoutMs: options.retryTimeoutMs,
      heartbeatTimeoutMs: options.heartbeatTimeoutMs,
      onWarning: options.onWarning,
      onResumption: (resumption) => {
        newest = resumption;
        if (quiet) return;
        if (this.#latest === active) this.resumption.set(resumption);
        options.onResumption?.(resumption);
      },
      requestId: turn.requestId,
      streamKey: chatId,
      resumeFrom: 'start',
    });
    // Those who wait for it are told; when the reader left, nobody waits.
    active.response.catch(() => undefined);
    return active;
  }

  async #settle(active: Call, signal: AbortSignal | undefined): Promise<DurableResponse | null> {
    try {
      return await unlessAborted(active.response, signal);
    } catch (error) {
      if (signal?.aborted) {
        // The POST goes on: its answer is found again, or stopped, by its name.
        void active.response
          .then(async (response) => {
            if (this.#options().abortUpstream) await response?.abort();
            await response?.body?.cancel();
          })
          .catch(() => undefined);
      }
      throw asChatError(error);
    }
  }

  #open(active: Call, response: DurableResponse, signal: AbortSignal | undefined): ReadableStream<ChatChunk> {
    const stream = chatChunks(response.body as ReadableStream<Uint8Array>, {
      answerId: active.turn.continues ?? `msg-${response.streamId}`,
      requireFinish: this.#options().requireFinish ?? true,
      signal,
      onEnd: (error) => this.#end(active, error),
    });
    return markResumed(stream, response.wasResumed);
  }

  /** The answer is over, unless it is only the network that failed: then it can be taken up later. */
  #end(active: Call, error?: Error): void {
    this.#leave(active);
    if (isDurableNetworkError(error)) return;
    void this.#turns.remove(active.chatId, active.turn.streamId);
    if (error && !isDurableStreamError(error) && this.#latest === active) {
      this.resumption.set({ ...this.resumption.getSnapshot(), status: 'failed', error });
    }
  }

  #leave(active: Call): void {
    if (this.#calls.get(active.chatId) === active) this.#calls.delete(active.chatId);
  }

  async #note(active: Call, change: Partial<Turn>): Promise<void> {
    active.turn = { ...active.turn, ...change };
    if (this.#calls.get(active.chatId) === active) await this.#turns.set(active.chatId, active.turn);
  }
}

/** The message that the SDK goes on with: the one it names, else the last, when it is the assistant's. */
function continuedMessage<MESSAGE extends ChatMessage>(
  call: SendMessagesOptions<MESSAGE>,
): string | undefined {
  if (call.trigger !== 'submit-message') return undefined;
  const message = call.messages.find(({ id }) => id === call.messageId) ?? call.messages.at(-1);
  return message?.role === 'assistant' ? message.id : undefined;
}

/** A turn stopped before its stream had a name could be any stream. */
function isStopped(turn: Turn | undefined, response: DurableResponse): boolean {
  return turn?.stopped === true && (turn.streamId ?? response.streamId) === response.streamId;
}
