import { Chat, type UIMessage } from '@ai-sdk/react';
import { ChatConnection } from '../core-client/transports/chat-connection.ts';
import type { Attached, ChatConnectionOptions } from '../core-client/transports/chat-connection-options.ts';
import { nextTurn } from '../core-client/transports/next-turn.ts';
import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { ToolResult, Turn } from '../core-client/transports/turns.ts';
import { onWake } from '../core-client/wake.ts';
import { openChatChannel, type ChatChannel } from './chat-channel.ts';
import { hasMovedOn, isBusy, messagesBefore } from './chat-messages.ts';
import { ClientTools, decisionsOf } from './client-tools.ts';
import { DataParts } from './data-parts.ts';
import { LateMessageId } from './late-message-id.ts';
import { RemoteAnswers, type DeviceOptions } from './remote-answers.ts';
import { ResumeQueue, type Announced, type ResumeResult } from './resume-queue.ts';
import { TurnLock } from './turn-lock.ts';

/** Options of the AI SDK's `Chat`, in the installed version of `ai`. */
export type ChatInit<MESSAGE extends UIMessage> = ConstructorParameters<typeof Chat<MESSAGE>>[0];

/** Options of `useDurableChat` that do not concern React: the options of `Chat` and of the connection. */
export type ChatControllerOptions<MESSAGE extends UIMessage> = Omit<ChatInit<MESSAGE>, 'transport' | 'id'> &
  Omit<ChatConnectionOptions<MESSAGE>, 'abortUpstream'> &
  DeviceOptions<MESSAGE>;

/** Identity of a chat. */
export interface ChatIdentity {
  readonly id: string;
  /** True if other devices know the id: the proxy is then asked for answers that they began. */
  readonly isShared: boolean;
  /** Called if another tab uses the same id although it is this tab's own (`isShared` is false). */
  readonly onDuplicate: (id: string) => void;
}

/**
 * Owns an AI SDK `Chat` and resumes its answers. Lives outside React, so it survives StrictMode's double mount, and
 * releases its resources once no component is mounted.
 */
export class ChatController<MESSAGE extends UIMessage> {
  readonly chat: Chat<MESSAGE>;
  readonly resumption: ResumptionSource;
  /** Functions of `Chat` for the user's decisions on tools, if the installed SDK has them (6 and 7). */
  readonly decisions: object;
  readonly #identity: ChatIdentity;
  readonly #connection: ChatConnection<MESSAGE>;
  #options: ChatControllerOptions<MESSAGE>;
  #channel: (ChatChannel & { readonly name: string }) | undefined;
  /** Number of mounted components. */
  #mounts = 0;
  /** True after `forget()`, until the user sends a message: the controller then resumes nothing by itself. */
  #isForgotten = false;
  /** Hash of the user's scope, once it is known. */
  #scope: string | undefined;
  /** Resolves when the newest message has a response. Never rejects. */
  #sending: Promise<unknown> = Promise.resolve();
  /** The answer that the transport returns to the next call of the SDK. */
  #handover: Attached['stream'] | undefined;
  /** Id of the stream that the chat shows completely. */
  #shownStreamId: string | undefined;
  readonly #queue: ResumeQueue;
  readonly #remote: RemoteAnswers<MESSAGE>;
  readonly #lock = new TurnLock();
  readonly #tools = new ClientTools();
  readonly #dataParts = new DataParts();
  readonly #lateMessageId = new LateMessageId();

  constructor(identity: ChatIdentity, options: ChatControllerOptions<MESSAGE>) {
    this.#identity = identity;
    this.#options = options;
    this.#connection = new ChatConnection<MESSAGE>(() => this.#options, {
      keepMessages: true,
      onScope: (scope) => {
        if (!this.#isForgotten) this.#openChannel(scope);
      },
      onBegan: (_, turn) => {
        this.#dataParts.begin(turn.streamId);
        this.#lock.begin(turn.streamId);
        this.#remote.note(turn.streamId, true);
        this.#channel?.announce(turn);
      },
      onLateName: (temporary, final) => this.#lateMessageId.set(temporary, final),
    });
    this.resumption = this.#connection.resumption;
    this.#queue = new ResumeQueue({
      attach: (announced, signal) => this.#attach(announced, signal),
      isBusy: () => isBusy(this.chat),
      onNext: (turn) => this.#mounts > 0 && this.#resumeInBackground(turn),
    });
    const requestId = identity.id;
    this.#remote = new RemoteAnswers<MESSAGE>({
      chatId: requestId,
      options: () => this.#options,
      onBegan: (streamId) => this.#resumeInBackground({ requestId, streamId, isRemote: true }),
      chat: () => (this.#isForgotten || isBusy(this.chat) ? undefined : this.chat),
      onVisible: (missed) => this.#resumeInBackground(missed),
      onHidden: (visible) => {
        for (const read of this.#connection.reads) read.pause(visible);
      },
    });
    this.chat = new Chat<MESSAGE>(this.#chatInit());
    this.decisions = decisionsOf(this.chat, () => this.#lock.claim());
  }

  /**
   * Sets the options of the newest render. `proxyUrl`, `storage`, `storagePrefix`, `credentials` and the options of
   * `Chat` that are not functions keep their first value.
   */
  update(options: ChatControllerOptions<MESSAGE>): void {
    this.#options = options;
  }

  /**
   * Called when a component mounts. Resumes the answer in progress, now and whenever the page becomes visible or the
   * network returns.
   * @returns the function to call when the component unmounts.
   */
  readonly mount = (): (() => void) => {
    this.#mounts++;
    if (this.#scope !== undefined) this.#openChannel(this.#scope);
    const stopWaking = onWake(() => this.#resumeInBackground(), this.#options.wake);
    this.#resumeInBackground();
    return () => {
      this.#mounts--;
      stopWaking();
      // StrictMode mounts again at once.
      setTimeout(() => void this.#releaseIfUnmounted());
    };
  };

  /** Resumes the answer in progress, if there is one. Resolves when it has ended. */
  readonly resume = async (): Promise<void> => {
    await this.#resume();
  };

  /** Stops the answer, on the server too. */
  readonly stop = async (): Promise<void> => {
    this.#queue.cancel();
    this.#queue.clear();
    this.#tools.leave();
    const aborted = this.#connection
      .abort(this.chat.id)
      .catch((error: unknown) => this.#warn(error as Error));
    await this.chat.stop();
    await aborted;
  };

  /** After an error: resumes the answer if it is still in progress, otherwise regenerates it. */
  readonly retry = async (): Promise<void> => {
    // Regenerating costs money, so only if it is certain that there is nothing to resume.
    if ((await this.#resume()) === 'nothing' && this.chat.status === 'error') await this.chat.regenerate();
  };

  readonly addToolOutput: Chat<MESSAGE>['addToolOutput'] = (given) => {
    const { tool, toolCallId, state, output, errorText } = given as ToolResult;
    const result = { tool, toolCallId, state, output, errorText };
    this.#tools.addResults([result]);
    this.#lock.claim();
    void this.#connection.keepToolResult(this.chat.id, result);
    return this.chat.addToolOutput(given);
  };

  /**
   * Removes everything stored for this user and all messages, and stops reading the answer without stopping it on the
   * server. Afterwards the chat resumes no answer by itself until the user sends a message.
   */
  readonly forget = async (): Promise<void> => {
    this.#isForgotten = true;
    this.#queue.cancel();
    this.#lock.release();
    this.#closeChannel();
    this.#tools.reset();
    this.#tools.leave();
    this.#queue.clear();
    this.#lateMessageId.clear();
    this.#scope = this.#shownStreamId = undefined;
    const forgotten = this.#connection.forget();
    try {
      await this.chat.stop();
      // The SDK publishes the partial message once more when reading ends.
      while (isBusy(this.chat)) await nextTurn();
      this.chat.messages = [];
    } finally {
      await forgotten;
    }
    // A chat id that this tab stores belongs to the user, too.
    if (!this.#identity.isShared) this.#identity.onDuplicate(this.chat.id);
  };

  #chatInit(): ChatInit<MESSAGE> {
    return {
      ...this.#options,
      id: this.#identity.id,
      transport: {
        resumeStreamIsReplay: true,
        sendMessages: async (call) => this.#takeHandover() ?? this.#send(call),
        reconnectToStream: async () => this.#takeHandover() ?? null,
      },
      onToolCall: (call) => this.#onToolCall(call),
      onData: (part) => this.#dataParts.isNew() && this.#options.onData?.(part),
      onError: (error) => this.#options.onError?.(error),
      onFinish: (event) => {
        event = this.#withFinalId(event);
        // Unmounting ends the reading, not the answer.
        if (this.#mounts === 0) return undefined;
        // The SDK calls `onFinish` before its status changes.
        setTimeout(() => this.#queue.next());
        return this.#options.onFinish?.(event);
      },
      sendAutomaticallyWhen: (state) =>
        this.#lock.hasLock && (this.#options.sendAutomaticallyWhen?.(state) ?? false),
    } as ChatInit<MESSAGE>;
  }

  /** Opens the channel on which the tabs of one user announce answers to each other. */
  #openChannel(scope: string): void {
    this.#scope = this.#lock.scope = scope;
    const name = `durable-proxy:${scope}:${this.chat.id}`;
    if (this.#mounts === 0 || this.#channel?.name === name) return;
    this.#channel?.close();
    const { isShared, onDuplicate } = this.#identity;
    const channel = openChatChannel(name, {
      onTurn: (turn) => this.#resumeInBackground(turn),
      onDuplicate: isShared ? undefined : () => onDuplicate(this.chat.id),
    });
    this.#channel = { ...channel, name };
    if (isShared) this.#remote.start(scope);
  }

  #closeChannel(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#remote.stop();
  }

  /** Resumes without the user's request. A failure is a warning only: the next wake event tries again. */
  #resumeInBackground(announced?: Announced): void {
    if (this.#isForgotten) return;
    if (this.#remote.postpone(announced)) return;
    this.#resume(announced).catch((error: unknown) => this.#warn(error as Error));
  }

  #resume(announced?: Announced): Promise<ResumeResult> {
    const { streamId, isRemote } = announced ?? {};
    const isShown =
      (streamId !== undefined && streamId === this.#shownStreamId) ||
      (isRemote && this.#remote.isKnown(streamId));
    return isShown ? Promise.resolve('nothing') : this.#queue.resume(announced);
  }

  async #attach(announced: Announced | undefined, signal: AbortSignal): Promise<ResumeResult> {
    const isRemote = announced?.isRemote;
    const attach = (turn: Turn | undefined) =>
      this.#connection.attach(this.chat.id, {
        lookUp: this.#identity.isShared,
        turn,
        isCurrent: (kept) => !kept.openTools || !hasMovedOn(kept, this.chat.messages),
        signal,
      });
    let attached: Attached | null;
    try {
      // Another tab of this browser may have stored the turn of a remote answer. A short answer may have ended.
      attached = (isRemote && (await attach(undefined))) || (await attach(announced));
    } catch (error) {
      if (!signal.aborted) this.#warn(error as Error);
      return 'unknown';
    }
    if (!attached) return 'nothing';
    if (isRemote) this.#lock.yield();
    else await this.#lock.join(attached.turn.streamId, announced !== undefined);
    const isStored = isRemote && !attached.turn.messages && (await this.#remote.loadMessages(signal));
    if (isStored || signal.aborted || isBusy(this.chat)) {
      await attached.stream.cancel();
      return isStored ? 'nothing' : 'unknown';
    }
    await this.#show(attached);
    return 'resumed';
  }

  /** Replays an answer into the chat. Resolves when the answer has ended. */
  async #show({ turn, stream }: Attached): Promise<void> {
    this.#tools.addResults(turn.toolResults ?? []);
    this.#dataParts.begin(turn.streamId);
    this.#remote.note(turn.streamId, false);
    this.chat.messages = messagesBefore(turn, this.chat.messages);
    this.#handover = stream;
    // `resumeStream` rebuilds the whole message and would lose the parts from before this turn.
    const continuesMessage = turn.continues !== undefined && turn.continues === this.chat.lastMessage?.id;
    await (continuesMessage ? this.chat.sendMessage() : this.chat.resumeStream());
    await this.#takeHandover()?.cancel();
    if (this.chat.status === 'ready') this.#shownStreamId = turn.streamId;
  }

  #send(call: Parameters<ChatConnection<MESSAGE>['send']>[0]): Promise<Attached['stream']> {
    this.#isForgotten = false;
    this.#remote.cancelLoading();
    this.#queue.cancel();
    this.#tools.reset();
    const sent = this.#connection.send(call);
    this.#sending = sent.catch(() => undefined);
    return sent;
  }

  #takeHandover(): Attached['stream'] | undefined {
    const stream = this.#handover;
    this.#handover = undefined;
    return stream;
  }

  #withFinalId<EVENT extends { message: MESSAGE; messages?: MESSAGE[] }>(event: EVENT): EVENT {
    const rename = this.#lateMessageId.take<MESSAGE>(event.message);
    if (!rename) return event;
    this.chat.messages = this.chat.messages.map(rename);
    return {
      ...event,
      message: rename(event.message),
      ...(event.messages && { messages: event.messages.map(rename) }),
    };
  }

  /** Runs a client-side tool once. For a call that a replay contains again, uses the stored result. */
  #onToolCall(call: { readonly toolCall: { readonly toolCallId: string } }): unknown {
    const { toolCallId } = call.toolCall;
    const result = this.#tools.resultOf(toolCallId);
    if (result) {
      // Not awaited: the SDK adds the output only after this function has returned.
      void this.chat.addToolOutput(result as Parameters<Chat<MESSAGE>['addToolOutput']>[0]);
      return undefined;
    }
    if (!this.#lock.hasLock || !this.#tools.start(toolCallId)) return undefined;
    const run = this.#options.onToolCall?.(
      call as Parameters<NonNullable<ChatInit<MESSAGE>['onToolCall']>>[0],
    );
    return this.#tools.wait(run);
  }

  async #releaseIfUnmounted(): Promise<void> {
    if (this.#mounts > 0) return;
    this.#closeChannel();
    this.#queue.cancel();
    // A message is sent even if its page closes at once.
    await this.#sending;
    if (this.#mounts > 0) return;
    this.#lock.release();
    if (isBusy(this.chat)) void this.chat.stop();
  }

  #warn(error: Error): void {
    this.#options.onWarning?.(error);
  }
}
