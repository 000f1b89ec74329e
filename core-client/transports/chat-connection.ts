import { createDurableFetch } from '../durable-fetch.ts';
import { isDurableNetworkError, isDurableStreamError } from '../errors.ts';
import { defaultStorage } from '../storage.ts';
import type { DurableFetch, DurableFetchOptions, DurableRequestInit, DurableResponse } from '../types.ts';
import { startChatCall, type ChatCall } from './chat-call.ts';
import { abortedAnswer, asChatError, chatChunks, wasAborted, type ChatChunk } from './chat-chunks.ts';
import { chatRequest, type ChatRequestOptions, type SendMessagesOptions } from './chat-request.ts';
import { AnswerRequestError, isModelError } from './errors.ts';
import { contentsFor } from './page-contents.ts';
import { ResumptionStore } from './resumption-store.ts';
import { TurnStore } from './turn-store.ts';
import { isStopped, type ChatMessage, type ToolResult, type Turn } from './turns.ts';
import { abortReason, unlessAborted } from './unless-aborted.ts';
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
  /** Called with the id that the backend gave a message after its first chunk, which had to have one. */
  readonly onLateName?: (given: string, messageId: string) => void;
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

/** Chats behind the proxy: sends, takes up again, stops. The transport and the hook both stand on it. */
export class ChatConnection<MESSAGE extends ChatMessage> {
  readonly resumption = new ResumptionStore();
  readonly #options: () => ChatConnectionOptions<MESSAGE>;
  readonly #client: DurableFetch;
  readonly #turns: TurnStore;
  /** The calls under way, by chat. */
  readonly #calls = new Map<string, ChatCall>();
  /** By chat, the newest call whose answer is complete, while a tool of the page still runs. */
  readonly #waiting = new Map<string, ChatCall>();
  /** By chat, the stream of an answer that the model's error ended. It is read, and not resumed. */
  readonly #failed = new Map<string, string | undefined>();
  readonly #hooks: ConnectionHooks;
  #latest: ChatCall | undefined;

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
    this.#turns = new TurnStore({
      storage,
      contents: contentsFor(storage),
      prefix: `${storagePrefix}:turn:${proxyUrl}`,
      warn: (warning) => options().onWarning?.(warning),
    });
  }

  /** @throws AnswerRequestError when the endpoint or the proxy refuses, and what the client throws. */
  async send(call: SendMessagesOptions<MESSAGE>): Promise<ReadableStream<ChatChunk>> {
    const options = this.#options();
    const { chatId, messages, abortSignal } = call;
    const { url, init } = await chatRequest(options, call);
    if (abortSignal?.aborted) throw abortReason(abortSignal);
    const continues = continuedMessage(call);
    const turn: Turn = {
      requestId: options.getRequestId?.(messages, { chatId }) ?? chatId,
      ...(continues !== undefined && { continues }),
      ...(this.#hooks.keepMessages && { messages }),
    };
    await this.#turns.set(chatId, turn);
    // What the model answered with an error is asked again, also when the client is still reading its end.
    const isAgain = this.#failed.delete(chatId);
    this.#waiting.delete(chatId);
    const active = this.#start(chatId, turn, { quiet: false }, (own) =>
      this.#client(url, { ...init, ...own, ...(isAgain && { autoResume: false }) }),
    );
    let response: DurableResponse | null;
    try {
      response = await this.#settle(active, abortSignal);
    } catch (error) {
      // Another tab stopped it before there was anything to read.
      if (abortSignal?.aborted || !wasAborted(error)) throw error;
      this.#end(active);
      return abortedAnswer();
    }
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
  async attach(
    chatId: string,
    { lookUp, turn: told, isCurrent, signal }: AttachOptions,
  ): Promise<Attached | null> {
    const kept = told ?? (await this.#turns.get(chatId));
    if (kept?.stopped) void this.#stopKept(chatId, kept);
    const isUsable = kept && !kept.stopped && !this.#isShown(chatId, kept) && isCurrent?.(kept) !== false;
    if (!lookUp && !isUsable) return null;
    const turn = isUsable ? kept : { requestId: chatId };
    // An answer that is over is asked for by its id; one under way need not be.
    const streamId = told || turn.openTools ? turn.streamId : undefined;
    const active = this.#start(chatId, turn, { quiet: turn !== kept }, (own) =>
      this.#client.resume(turn.requestId, { ...own, ...(signal && { signal }), streamId }),
    );
    try {
      const response = await this.#settle(active, signal);
      if (response?.body && !isStopped(kept, response) && !this.#hasFailed(chatId, response)) {
        // The newest answer under this name need not be the one that was kept here.
        if (turn.streamId && turn.streamId !== response.streamId) active.turn = { requestId: turn.requestId };
        active.show();
        await this.#note(active, { streamId: response.streamId, openTools: undefined });
        return { stream: this.#open(active, response, signal), turn: active.turn };
      }
      await response?.body?.cancel();
    } catch (error) {
      this.#leave(active);
      throw error;
    }
    this.#leave(active);
    if (!kept || !this.#isShown(chatId, kept)) await this.#turns.remove(chatId, kept?.streamId);
    return null;
  }

  /**
   * Stops the answer under way on the server, and sees to it that no later page resumes it. Does nothing when
   * there is none. Rejects when the server could not be told.
   */
  async abort(chatId: string): Promise<void> {
    const active = this.#calls.get(chatId);
    if (!active) return;
    await this.#note(active, { stopped: true, messages: undefined, toolResults: undefined });
    if (!active.turn.streamId && (await this.#abortUnanswered(active))) return;
    const response = await active.response.catch(() => null);
    if (!response?.ok) return;
    await this.#note(active, { streamId: response.streamId });
    await response.abort();
    await this.#turns.removeStopped(chatId, response.streamId);
  }

  /**
   * Notes a tool's result, for a replay after a reload that would ask for it again, also while the answer that
   * asked for it is complete.
   */
  async keepToolResult(chatId: string, result: ToolResult): Promise<void> {
    const active = this.#calls.get(chatId) ?? this.#waiting.get(chatId);
    if (!active) return;
    active.turn = { ...active.turn, toolResults: [...(active.turn.toolResults ?? []), result] };
    await this.#turns.set(chatId, active.turn);
  }

  /**
   * Stops an answer whose URL is not known yet, by its `Idempotency-Key`: with the request under way, the
   * server need not have responded, and the page may be closed at once.
   * @returns false when the server does not know of such requests.
   */
  async #abortUnanswered(active: ChatCall): Promise<boolean> {
    const { chatId, turn, stop } = active;
    try {
      if (!(await this.#client.abort(turn.requestId, this.#own()))) return false;
    } catch (error) {
      this.#options().onWarning?.(error as Error);
      return false;
    }
    stop.abort(new DOMException('The answer was stopped', 'AbortError'));
    this.#leave(active);
    await this.#turns.removeStopped(chatId, undefined);
    return true;
  }

  /** Stops what an earlier page wanted to stop: it may have been closed before the server was told. */
  async #stopKept(chatId: string, { requestId, streamId }: Turn): Promise<void> {
    try {
      await this.#client.abort(requestId, { ...this.#own(), streamId });
      await this.#turns.removeStopped(chatId, streamId);
    } catch (error) {
      this.#options().onWarning?.(error as Error);
    }
  }

  /** The options of one request to the proxy, as they are now. */
  #own(): DurableRequestInit {
    const options = this.#options();
    return {
      proxyAuthorization: options.proxyAuthorization,
      authorizationInQuery: options.authorizationInQuery,
      onWarning: options.onWarning,
    };
  }

  /** `quiet`: nothing is shown of it until it turned out to be something. */
  #start(
    chatId: string,
    turn: Turn,
    { quiet }: { readonly quiet: boolean },
    fetch: (own: DurableRequestInit) => Promise<DurableResponse | null>,
  ): ChatCall {
    const options = this.#options();
    const call = startChatCall(
      chatId,
      turn,
      {
        quiet,
        resumption: this.resumption,
        onResumption: options.onResumption,
        isLatest: (one) => this.#latest === one,
        onShow: (one) => (this.#latest = one),
      },
      (own) =>
        fetch({
          ...this.#own(),
          ...own,
          autoResume: options.autoResume,
          abortUpstream: options.abortUpstream,
          maxReconnectAttempts: options.maxReconnectAttempts,
          reconnectTimeoutMs: options.reconnectTimeoutMs,
          retryTimeoutMs: options.retryTimeoutMs,
          heartbeatTimeoutMs: options.heartbeatTimeoutMs,
          requestId: turn.requestId,
          streamKey: chatId,
          resumeFrom: 'start',
        }),
    );
    this.#calls.set(chatId, call);
    return call;
  }

  async #settle(active: ChatCall, signal: AbortSignal | undefined): Promise<DurableResponse | null> {
    try {
      return await unlessAborted(active.response, signal);
    } catch (error) {
      if (signal?.aborted) {
        // The POST goes on: its answer is found again, or stopped, by its name.
        void this.#leaveUnanswered(active).catch(() => undefined);
      }
      throw asChatError(error);
    }
  }

  #open(
    active: ChatCall,
    response: DurableResponse,
    signal: AbortSignal | undefined,
  ): ReadableStream<ChatChunk> {
    const answerId = active.turn.continues ?? `msg-${response.streamId}`;
    const stream = chatChunks(response.body as ReadableStream<Uint8Array>, {
      answerId,
      requireFinish: this.#options().requireFinish ?? true,
      signal,
      onChunk: active.tools.note,
      onEnd: (error) => this.#end(active, error),
      onLateName: (messageId) => this.#hooks.onLateName?.(answerId, messageId),
    });
    return markResumed(stream, response.wasResumed);
  }

  async #leaveUnanswered(active: ChatCall): Promise<void> {
    const isStop = this.#options().abortUpstream;
    if (isStop && (await this.#abortUnanswered(active))) {
      await this.#turns.remove(active.chatId, undefined);
      return;
    }
    const response = await active.response;
    if (isStop) await response?.abort();
    await response?.body?.cancel();
  }

  /** The answer is over, unless it is only the network that failed: then it can be resumed later. */
  #end(active: ChatCall, error?: Error): void {
    this.#leave(active);
    if (isDurableNetworkError(error)) return;
    const { chatId, turn } = active;
    if (isModelError(error)) this.#failed.set(chatId, turn.streamId);
    if (error && !isDurableStreamError(error)) active.fail(error);
    const done = new Set(turn.toolResults?.map(({ toolCallId }) => toolCallId));
    const tools = active.tools.ids().filter((id) => !done.has(id));
    if (error || turn.stopped || tools.length === 0 || !this.#hooks.keepMessages) {
      void this.#turns.remove(chatId, turn.streamId);
      return;
    }
    // A page that is reloaded before these tools are done calls them again.
    active.turn = { ...turn, openTools: tools };
    this.#waiting.set(chatId, active);
    void this.#turns.set(chatId, active.turn);
  }

  #isShown(chatId: string, { streamId, openTools }: Turn): boolean {
    return openTools !== undefined && this.#waiting.get(chatId)?.turn.streamId === streamId;
  }

  #hasFailed(chatId: string, { streamId }: DurableResponse): boolean {
    return this.#failed.has(chatId) && this.#failed.get(chatId) === streamId;
  }

  #leave(active: ChatCall): void {
    if (this.#calls.get(active.chatId) === active) this.#calls.delete(active.chatId);
  }

  async #note(active: ChatCall, change: Partial<Turn>): Promise<void> {
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
