import { Chat, type UIMessage } from '@ai-sdk/react';
import { ChatConnection } from '../core-client/transports/chat-connection.ts';
import type { Attached, ChatConnectionOptions } from '../core-client/transports/chat-connection-options.ts';
import { nextTurn } from '../core-client/transports/next-turn.ts';
import type { ResumptionSource } from '../core-client/transports/resumption-store.ts';
import type { ToolResult, Turn } from '../core-client/transports/turns.ts';
import { onWake } from '../core-client/wake.ts';
import { openChatChannel, type ChatChannel } from './chat-channel.ts';
import { hasMovedOn, messagesBefore } from './chat-messages.ts';
import { DataParts } from './data-parts.ts';
import { TurnLock } from './turn-lock.ts';

/** Of whichever `ai` is installed. */
export type ChatInit<MESSAGE extends UIMessage> = ConstructorParameters<typeof Chat<MESSAGE>>[0];

/** Options of `useDurableChat` without those of React: the options of `Chat` and of the connection. */
export type ChatControllerOptions<MESSAGE extends UIMessage> = Omit<ChatInit<MESSAGE>, 'transport' | 'id'> &
  Omit<ChatConnectionOptions<MESSAGE>, 'abortUpstream'>;

/** What looking for an answer came to; `unknown` when the proxy could not be asked, or nobody wanted to know. */
type Found = 'answer' | 'nothing' | 'unknown';

/**
 * A `Chat` of the AI SDK and what brings its answers back. It belongs to no component: it goes on through
 * StrictMode's double life, and lets go when nobody shows it any more.
 */
export class ChatController<MESSAGE extends UIMessage> {
  readonly chat: Chat<MESSAGE>;
  readonly resumption: ResumptionSource;
  /** What a user decides about a tool, where the installed SDK has such decisions (6 and 7). */
  readonly decisions: object;
  readonly #connection: ChatConnection<MESSAGE>;
  readonly #lookUp: boolean;
  readonly #onTaken: ((id: string) => void) | undefined;
  #options: ChatControllerOptions<MESSAGE>;
  #channel: (ChatChannel & { readonly name: string }) | undefined;
  #mounts = 0;
  /** After `forget()`: nothing is taken up by itself until the user sends something. */
  #isForgotten = false;
  /** Hash of the user's scope, once it is known. */
  #scope: string | undefined;
  #handover: Attached['stream'] | undefined;
  #attaching = new AbortController();
  #resuming: Promise<Found> | undefined;
  #told: Turn | undefined;
  /** The stream that is shown in full. */
  #shown: string | undefined;
  readonly #lock = new TurnLock();
  /** Client-side tools of the turn: those asked for, and what they gave. */
  readonly #called = new Set<string>();
  readonly #results = new Map<string, ToolResult>();
  readonly #data = new DataParts();
  /** The id that the answer's message has until the answer ends, and the backend's own. */
  #lateName: readonly [given: string, messageId: string] | undefined;

  /**
   * @param lookUp other devices know the chat by its id, so the proxy is asked for what they began.
   * @param onTaken called when another tab has the id, which should be this tab's own. Without `lookUp` only.
   */
  constructor(
    id: string,
    lookUp: boolean,
    options: ChatControllerOptions<MESSAGE>,
    onTaken?: (id: string) => void,
  ) {
    this.#options = options;
    this.#lookUp = lookUp;
    this.#onTaken = onTaken;
    this.#connection = new ChatConnection<MESSAGE>(() => this.#options, {
      keepMessages: true,
      onScope: (scope) => this.#openChannel(scope),
      onBegan: (_, turn) => {
        this.#data.begin(turn.streamId);
        this.#lock.begin(turn.streamId);
        this.#channel?.tell(turn);
      },
      onLateName: (given, messageId) => (this.#lateName = [given, messageId]),
    });
    this.resumption = this.#connection.resumption;
    this.chat = new Chat<MESSAGE>({
      ...options,
      id,
      transport: {
        resumeStreamIsReplay: true,
        sendMessages: async (call) => this.#takeHandover() ?? this.#send(call),
        reconnectToStream: async () => this.#takeHandover() ?? null,
      },
      onToolCall: (call) => this.#onToolCall(call),
      onData: (part) => this.#data.isNew() && this.#options.onData?.(part),
      onError: (error) => this.#options.onError?.(error),
      onFinish: (event) => {
        event = this.#renamed(event);
        // Letting go is no end: the answer goes on without us.
        if (this.#mounts === 0) return undefined;
        // The SDK calls it before it is done.
        setTimeout(() => this.#takeUpTold());
        return this.#options.onFinish?.(event);
      },
      sendAutomaticallyWhen: (state) =>
        this.#lock.isOwner && (this.#options.sendAutomaticallyWhen?.(state) ?? false),
    } as ChatInit<MESSAGE>);
    this.decisions = this.#claiming(this.chat);
  }

  /** The options of the newest render. `proxyUrl`, the storage and the chat's own settings stay as they were. */
  update(options: ChatControllerOptions<MESSAGE>): void {
    this.#options = options;
  }

  /** Shows that somebody looks on: takes up what is under way, now and whenever there may be something. */
  readonly mount = (): (() => void) => {
    this.#mounts++;
    if (this.#scope !== undefined) this.#openChannel(this.#scope);
    const stopWaking = onWake(() => this.#lookAgain(), this.#options.wake);
    this.#lookAgain();
    return () => {
      this.#mounts--;
      stopWaking();
      // StrictMode mounts again at once.
      setTimeout(() => this.#letGo());
    };
  };

  /** Takes up the answer under way, if there is one; resolves when it is over. */
  readonly resume = async (): Promise<void> => {
    await this.#resume();
  };

  /** Stops the answer, on the server too. */
  readonly stop = async (): Promise<void> => {
    this.#attaching.abort();
    const aborted = this.#connection
      .abort(this.chat.id)
      .catch((error: unknown) => this.#warn(error as Error));
    await this.chat.stop();
    await aborted;
  };

  /** After a failure: the rest of the answer when it still comes, else a new one. */
  readonly retry = async (): Promise<void> => {
    // Only when it is certain that there is nothing to take up: another answer is paid for again.
    if ((await this.#resume()) === 'nothing' && this.chat.status === 'error') await this.chat.regenerate();
  };

  readonly addToolOutput: Chat<MESSAGE>['addToolOutput'] = (given) => {
    const { tool, toolCallId, state, output, errorText } = given as ToolResult;
    const result = { tool, toolCallId, state, output, errorText };
    this.#results.set(toolCallId, result);
    this.#lock.claim();
    void this.#connection.keepToolResult(this.chat.id, result);
    return this.chat.addToolOutput(given);
  };

  /**
   * Removes all that is stored for this user and all messages shown, and releases the answer without stopping it. Then
   * takes up no answer by itself until something is sent.
   */
  readonly forget = async (): Promise<void> => {
    this.#isForgotten = true;
    this.#attaching.abort();
    this.#lock.release();
    this.#closeChannel();
    this.#called.clear();
    this.#results.clear();
    this.#scope = this.#told = this.#shown = this.#lateName = undefined;
    const forgotten = this.#connection.forget();
    try {
      await this.chat.stop();
      // The SDK shows what it has of an answer once more when reading ends.
      while (isBusy(this.chat)) await nextTurn();
      this.chat.messages = [];
    } finally {
      await forgotten;
    }
    // The id that this tab keeps for its chat is the user's, too.
    if (!this.#lookUp) this.#onTaken?.(this.chat.id);
  };

  /** The tabs of one user tell each other of answers. */
  #openChannel(scope: string): void {
    this.#scope = this.#lock.scope = scope;
    const name = `durable-proxy:${scope}:${this.chat.id}`;
    if (this.#mounts === 0 || this.#channel?.name === name) return;
    this.#channel?.close();
    const channel = openChatChannel(name, {
      onTurn: (turn) => this.#lookAgain(turn),
      onTaken: this.#lookUp ? undefined : () => this.#onTaken?.(this.chat.id),
    });
    this.#channel = { ...channel, name };
  }

  #closeChannel(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** What this tab does by itself fails without a word to the page: it tries again when the page wakes. */
  #lookAgain(told?: Turn): void {
    if (this.#isForgotten) return;
    this.#resume(told).catch((error: unknown) => this.#warn(error as Error));
  }

  #resume(told?: Turn): Promise<Found> {
    if (told?.streamId !== undefined && told.streamId === this.#shown) return Promise.resolve('nothing');
    if (this.#resuming || isBusy(this.chat)) {
      // It may have looked just before there was something, or has an answer of its own to end first.
      this.#told = told ?? this.#told;
      return this.#resuming ?? Promise.resolve('nothing');
    }
    this.#resuming = this.#attach(told).finally(() => {
      this.#resuming = undefined;
      this.#takeUpTold();
    });
    return this.#resuming;
  }

  #takeUpTold(): void {
    const told = this.#told;
    this.#told = undefined;
    if (told && this.#mounts > 0) this.#lookAgain(told);
  }

  async #attach(told: Turn | undefined): Promise<Found> {
    this.#attaching = new AbortController();
    const { signal } = this.#attaching;
    const { id } = this.chat;
    let attached: Attached | null;
    try {
      attached = await this.#connection.attach(id, {
        lookUp: this.#lookUp,
        turn: told,
        isCurrent: (turn) => !turn.openTools || !hasMovedOn(turn, this.chat.messages),
        signal,
      });
    } catch (error) {
      if (!signal.aborted) this.#warn(error as Error);
      return 'unknown';
    }
    if (!attached) return 'nothing';
    const { turn, stream } = attached;
    await this.#lock.join(turn.streamId, told !== undefined);
    if (signal.aborted || isBusy(this.chat)) {
      await stream.cancel();
      return 'unknown';
    }
    for (const result of turn.toolResults ?? []) this.#results.set(result.toolCallId, result);
    this.#data.begin(turn.streamId);
    this.chat.messages = messagesBefore(turn, this.chat.messages);
    this.#handover = stream;
    // The SDK's own way back rebuilds a whole message, and would lose what stood in it before.
    const goesOn = turn.continues !== undefined && turn.continues === this.chat.lastMessage?.id;
    await (goesOn ? this.chat.sendMessage() : this.chat.resumeStream());
    await this.#takeHandover()?.cancel();
    if (this.chat.status === 'ready') this.#shown = turn.streamId;
    return 'answer';
  }

  #send(call: Parameters<ChatConnection<MESSAGE>['send']>[0]): Promise<Attached['stream']> {
    this.#isForgotten = false;
    this.#attaching.abort();
    this.#called.clear();
    this.#results.clear();
    return this.#connection.send(call);
  }

  #takeHandover(): Attached['stream'] | undefined {
    const stream = this.#handover;
    this.#handover = undefined;
    return stream;
  }

  /** A decision is for this tab to go on with, whichever tab began the answer. */
  #claiming(chat: object): object {
    const { addToolApprovalResponse: respond } = chat as {
      readonly addToolApprovalResponse?: (...given: never[]) => unknown;
    };
    if (!respond) return {};
    return {
      addToolApprovalResponse: (...given: never[]) => {
        this.#lock.claim();
        return respond(...given);
      },
    };
  }

  /** Gives the answer's message the backend's own id, which came too late to begin with it. */
  #renamed<EVENT extends { message: MESSAGE; messages?: MESSAGE[] }>(event: EVENT): EVENT {
    const [given, id] = this.#lateName ?? [];
    this.#lateName = undefined;
    if (id === undefined || event.message.id !== given) return event;
    const rename = (message: MESSAGE) => (message.id === given ? { ...message, id } : message);
    this.chat.messages = this.chat.messages.map(rename);
    return {
      ...event,
      message: rename(event.message),
      ...(event.messages && { messages: event.messages.map(rename) }),
    };
  }

  /** A replay asks again for what was asked for before: who has the result gives it, who is at it goes on. */
  #onToolCall(call: { readonly toolCall: { readonly toolCallId: string } }): unknown {
    const { toolCallId } = call.toolCall;
    const result = this.#results.get(toolCallId);
    if (result) {
      // Not awaited: the SDK runs it after this very call.
      void this.chat.addToolOutput(result as Parameters<Chat<MESSAGE>['addToolOutput']>[0]);
      return undefined;
    }
    if (!this.#lock.isOwner || this.#called.has(toolCallId)) return undefined;
    this.#called.add(toolCallId);
    return this.#options.onToolCall?.(call as Parameters<NonNullable<ChatInit<MESSAGE>['onToolCall']>>[0]);
  }

  #letGo(): void {
    if (this.#mounts > 0) return;
    this.#lock.release();
    this.#closeChannel();
    this.#attaching.abort();
    if (isBusy(this.chat)) void this.chat.stop();
  }

  #warn(error: Error): void {
    this.#options.onWarning?.(error);
  }
}

function isBusy({ status }: { readonly status: string }): boolean {
  return status === 'submitted' || status === 'streaming';
}
