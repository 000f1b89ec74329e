import { createClientMemory, type PausableRead } from '../client-memory.ts';
import { createClient } from '../durable-fetch.ts';
import { isDurableNetworkError, isDurableStreamError } from '../errors.ts';
import { scopeKey, type Caller, type ScopeKeys } from '../scope.ts';
import { IDLE } from '../state.ts';
import { defaultStorage } from '../storage.ts';
import type { DurableFetch, DurableRequestInit, DurableResponse, Resumption } from '../types.ts';
import { chatCaller, chatCallerOnline } from './caller.ts';
import { ChatScope, startTurn, type ActiveTurn } from './active-turn.ts';
import { abortedAnswer, asChatError, chatChunks, wasAborted, type ChatChunk } from './chat-chunks.ts';
import type {
  AttachOptions,
  Attached,
  ChatConnectionOptions,
  ConnectionHooks,
} from './chat-connection-options.ts';
import { chatRequest, continuedMessage, type SendMessagesOptions } from './chat-request.ts';
import { AnswerRequestError, isModelError } from './errors.ts';
import { Preflights } from './preflights.ts';
import { answerOptions, requestOptions } from './request-options.ts';
import { ResumptionStore } from './resumption-store.ts';
import { ScopedTurns } from './scoped-turns.ts';
import { isStopped, type ChatMessage, type ToolResult, type Turn } from './turns.ts';
import { abortReason, raceSignal } from './race-signal.ts';
import { markResumed } from './was-resumed.ts';

/** Sends, resumes and stops the answers of chats. The transport and the hook are built on it. */
export class ChatConnection<MESSAGE extends ChatMessage> {
  readonly resumption = new ResumptionStore();
  readonly #options: () => ChatConnectionOptions<MESSAGE>;
  readonly #client: DurableFetch;
  readonly #turns: ScopedTurns;
  readonly #scopes: ScopeKeys;
  /** The reads in progress, which can be paused. */
  readonly reads: Iterable<PausableRead>;
  /** The chats of the newest caller. `undefined` until a caller is known. */
  #scope: ChatScope | undefined;
  readonly #hooks: ConnectionHooks;
  #latest: ActiveTurn | undefined;
  readonly #preflights = new Preflights();

  /** @param options called for each call. `proxyUrl`, the storage and `credentials` must not change. */
  constructor(options: () => ChatConnectionOptions<MESSAGE>, hooks: ConnectionHooks = {}) {
    const { proxyUrl, storage = defaultStorage(), storagePrefix = 'durable-proxy', credentials } = options();
    this.#options = options;
    this.#hooks = hooks;
    const request: typeof fetch = (input, init) => (options().fetch ?? fetch)(input, init);
    const own = { proxyUrl, storage, storagePrefix, credentials, fetch: request };
    this.#turns = new ScopedTurns({
      storage,
      storagePrefix,
      kind: `turn:${proxyUrl}`,
      warn: (warning) => options().onWarning?.(warning),
    });
    const memory = createClientMemory(this.#turns.storages);
    this.#client = createClient(own, memory);
    this.#scopes = memory.scopes;
    this.reads = memory.reads;
  }

  /**
   * Sends the messages of a chat and resolves with the answer.
   * @throws AnswerRequestError if the endpoint or the proxy refuses, and the errors of the client.
   */
  async send(call: SendMessagesOptions<MESSAGE>): Promise<ReadableStream<ChatChunk>> {
    const { chatId, abortSignal } = call;
    const active = await this.#preflights.run(chatId, abortSignal, (signal) => this.#begin(call, signal));
    let response: DurableResponse | null;
    try {
      response = await this.#awaitResponse(active, abortSignal);
    } catch (error) {
      // Another tab stopped the answer before its first byte.
      if (abortSignal?.aborted || !wasAborted(error)) throw error;
      this.#end(active);
      return abortedAnswer();
    }
    if (!response?.ok || !response.body) {
      const text = (await response?.text().catch(() => '')) ?? '';
      const error = response
        ? AnswerRequestError.of(response, text)
        : new AnswerRequestError('The chat endpoint refused.', 0);
      this.#end(active, error);
      throw error;
    }
    await this.#note(active, { streamId: response.streamId });
    if (!active.turn.stopped) this.#hooks.onBegan?.(chatId, active.turn);
    return this.#open(active, response, abortSignal);
  }

  /** Resumes an answer. @returns `null` if none is known, or if it was read to the end or stopped in this browser. */
  async attach(
    chatId: string,
    { lookUp, turn: reported, isCurrent, signal }: AttachOptions,
  ): Promise<Attached | null> {
    // The state of a look-up is not shown until it has found an answer.
    const caller = await chatCallerOnline({ ...this.#options(), onResumption: undefined }, signal);
    const scope = await this.#enter(caller);
    const kept = reported ?? (await scope.turns.get(chatId));
    // The user may have sent a message meanwhile, whose turn must stay the active one.
    if (signal?.aborted) throw abortReason(signal);
    if (kept?.stopped) void this.#stopKept(scope, chatId, kept);
    const isUsable = kept && !kept.stopped && !scope.isShown(chatId, kept) && isCurrent?.(kept) !== false;
    if (!lookUp && !isUsable) return null;
    const turn = isUsable ? kept : { requestId: chatId };
    // A finished answer is requested by its id. For one in progress, the name is enough.
    const streamId = reported || turn.openTools ? turn.streamId : undefined;
    const active = this.#start({ scope, chatId, turn }, { quiet: turn !== kept, caller }, (own) =>
      this.#client.resume(turn.requestId, { ...own, ...(signal && { signal }), streamId }),
    );
    try {
      const response = await this.#awaitResponse(active, signal);
      if (response?.body && !isStopped(kept, response) && !scope.hasFailed(chatId, response)) {
        // The newest answer under this name may differ from the stored one.
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
    // Another tab may still be sending the request of a turn without a stream.
    if (kept?.streamId !== undefined && !scope.isShown(chatId, kept))
      await scope.turns.remove(chatId, kept.streamId);
    return null;
  }

  /**
   * Stops the answer in progress on the server, and keeps later pages from resuming it. Does nothing if there is no
   * such answer.
   * @throws DurableNetworkError, DurableStreamError if the proxy did not confirm the stop.
   */
  async abort(chatId: string): Promise<void> {
    this.#preflights.cancel(chatId);
    const active = this.#scope?.active.get(chatId);
    if (!active) return;
    // A stored stop during a look-up would hide the next answer.
    if (!active.isQuiet)
      await this.#note(active, { stopped: true, messages: undefined, toolResults: undefined });
    if (!active.turn.streamId && (await this.#abortUnanswered(active))) return;
    const response = await active.response.catch(() => null);
    if (!response?.ok) return;
    await this.#note(active, { streamId: response.streamId });
    await response.abort();
    await active.scope.turns.removeStopped(chatId, response.streamId);
  }

  /**
   * Removes all stored data of the caller and ends open reads without stopping their answers. Clears the state of this
   * object too.
   * @throws DurableStorageError if the storage failed or cannot list its keys; what the functions in the options throw.
   */
  async forget(): Promise<void> {
    this.#preflights.cancel();
    const options = this.#options();
    // The user may no longer have a token when logging out.
    const scope = options.scope ?? this.#scope?.name ?? (await chatCaller(options)).scope;
    this.#scope = undefined;
    this.#latest = undefined;
    this.resumption.set(IDLE);
    await this.#turns.forget(await scopeKey(scope, this.#scopes));
    await this.#client.forget({ scope });
  }

  /**
   * Stores the result of a client-side tool call, so that a replay after a reload does not run the tool again. Also
   * works after the answer with the call is complete.
   */
  async keepToolResult(chatId: string, result: ToolResult): Promise<void> {
    const active = this.#scope?.active.get(chatId) ?? this.#scope?.waiting.get(chatId);
    if (!active) return;
    active.turn = { ...active.turn, toolResults: [...(active.turn.toolResults ?? []), result] };
    await active.scope.turns.set(chatId, active.turn);
  }

  /**
   * Stops an answer whose URL is not known yet, by its `Idempotency-Key`. This works before the server has responded to
   * the request, and survives an immediate close of the page.
   * @returns false if the server does not support this or the request failed.
   */
  async #abortUnanswered(active: ActiveTurn): Promise<boolean> {
    const { chatId, turn, stop, scope } = active;
    try {
      if (!(await this.#client.abort(turn.requestId, requestOptions(this.#options(), scope.name))))
        return false;
    } catch (error) {
      this.#options().onWarning?.(error as Error);
      return false;
    }
    stop.abort(new DOMException('The answer was stopped', 'AbortError'));
    this.#leave(active);
    await scope.turns.removeStopped(chatId, undefined);
    return true;
  }

  /** Repeats the stop of an earlier page. That page may have closed before its request reached the server. */
  async #stopKept(scope: ChatScope, chatId: string, { requestId, streamId }: Turn): Promise<void> {
    try {
      await this.#client.abort(requestId, { ...requestOptions(this.#options(), scope.name), streamId });
      await scope.turns.removeStopped(chatId, streamId);
    } catch (error) {
      this.#options().onWarning?.(error as Error);
    }
  }

  /** Stores the turn of a message, and sends its request unless the signal is aborted before. */
  async #begin(call: SendMessagesOptions<MESSAGE>, signal: AbortSignal): Promise<ActiveTurn> {
    const options = this.#options();
    const { chatId, messages } = call;
    const onResumption = (now: Resumption) => {
      this.resumption.set(now);
      options.onResumption?.(now);
    };
    const caller = await chatCallerOnline({ ...options, onResumption }, signal);
    const scope = await this.#enter(caller);
    const { url, init } = await chatRequest({ ...options, headers: caller.headers }, call);
    const continues = continuedMessage(call);
    const turn: Turn = {
      requestId: options.getRequestId?.(messages, { chatId }) ?? chatId,
      ...(continues !== undefined && { continues }),
      ...(this.#hooks.keepMessages && { messages }),
    };
    await scope.turns.set(chatId, turn);
    if (signal.aborted) {
      await scope.turns.remove(chatId, undefined);
      throw abortReason(signal);
    }
    // After a model error the request is sent again, even while the client still reads the rest of the answer.
    const isAgain = scope.failed.delete(chatId);
    scope.waiting.delete(chatId);
    return this.#start({ scope, chatId, turn }, { quiet: false, caller }, (own) =>
      this.#client(url, { ...init, ...own, ...(isAgain && { autoResume: false }) }),
    );
  }

  /** Switches to the chats of a caller. */
  async #enter({ scope: name }: Caller): Promise<ChatScope> {
    const key = await scopeKey(name, this.#scopes);
    if (this.#scope?.name !== name) this.#scope = new ChatScope(name, this.#turns.of(key));
    this.#hooks.onScope?.(key);
    return this.#scope;
  }

  /** Starts a turn. With `quiet`, its state is not shown until `show()` is called. */
  #start(
    { scope, chatId, turn }: Pick<ActiveTurn, 'scope' | 'chatId' | 'turn'>,
    { quiet, caller }: { readonly quiet: boolean; readonly caller: Caller },
    fetch: (own: DurableRequestInit) => Promise<DurableResponse | null>,
  ): ActiveTurn {
    const options = this.#options();
    const active = startTurn(
      { scope, chatId, turn },
      {
        quiet,
        resumption: this.resumption,
        onResumption: options.onResumption,
        isLatest: (one) => this.#latest === one,
        onShow: (one) => (this.#latest = one),
      },
      (own) =>
        fetch({
          ...answerOptions(options, scope.name, caller),
          ...own,
          requestId: turn.requestId,
          streamKey: chatId,
          resumeFrom: 'start',
        }),
    );
    scope.active.set(chatId, active);
    return active;
  }

  async #awaitResponse(active: ActiveTurn, signal: AbortSignal | undefined): Promise<DurableResponse | null> {
    try {
      return await raceSignal(active.response, signal);
    } catch (error) {
      if (signal?.aborted) {
        // The POST continues. Its answer can be resumed or stopped by its name.
        void this.#leaveUnanswered(active).catch(() => undefined);
      }
      throw asChatError(error);
    }
  }

  #open(
    active: ActiveTurn,
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

  async #leaveUnanswered(active: ActiveTurn): Promise<void> {
    const isStop = this.#options().abortUpstream;
    if (isStop && (await this.#abortUnanswered(active))) {
      await active.scope.turns.remove(active.chatId, undefined);
      return;
    }
    const response = await active.response;
    if (isStop) await response?.abort();
    await response?.body?.cancel();
  }

  /** Handles the end of an answer. After a network failure, it can be resumed later. */
  #end(active: ActiveTurn, error?: Error): void {
    this.#leave(active);
    if (isDurableNetworkError(error)) return;
    const { chatId, turn, scope } = active;
    if (isModelError(error)) scope.failed.set(chatId, turn.streamId);
    if (error && !isDurableStreamError(error)) active.fail(error);
    const done = new Set(turn.toolResults?.map(({ toolCallId }) => toolCallId));
    const tools = active.tools.ids().filter((id) => !done.has(id));
    if (error || turn.stopped || tools.length === 0 || !this.#hooks.keepMessages) {
      void scope.turns.remove(chatId, turn.streamId);
      return;
    }
    // A page that is reloaded before these tools have finished calls them again.
    active.turn = { ...turn, openTools: tools };
    scope.waiting.set(chatId, active);
    void scope.turns.set(chatId, active.turn);
  }

  #leave(active: ActiveTurn): void {
    const running = active.scope.active;
    if (running.get(active.chatId) === active) running.delete(active.chatId);
  }

  async #note(active: ActiveTurn, change: Partial<Turn>): Promise<void> {
    active.turn = { ...active.turn, ...change };
    const { active: running, turns } = active.scope;
    if (running.get(active.chatId) === active) await turns.set(active.chatId, active.turn);
  }
}
