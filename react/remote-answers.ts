import { createDurableFetch } from '../core-client/durable-fetch.ts';
import { MemoryStorage } from '../core-client/storage.ts';
import { RecentNames } from '../core-client/transports/recent-names.ts';
import type { ChatConnectionOptions } from '../core-client/transports/chat-connection-options.ts';
import type { ChatMessage } from '../core-client/transports/turns.ts';
import type { MaybePromise } from '../core-client/types.ts';
import { followDevices, type ReportedStream } from './device-follower.ts';
import type { Announced } from './resume-queue.ts';

/** Options of `useDurableChat` for answers of other devices. */
export interface DeviceOptions<MESSAGE extends ChatMessage> {
  /**
   * Shows answers that other devices begin in this chat, while they are in progress. Requires `id`. All tabs of a
   * browser share one connection, which exists only while one of them is visible. Set at the first render.
   * @default false
   */
  followDevices?: boolean | undefined;
  /**
   * Returns the messages of the chat as the app has stored them. Called when another device has begun an answer,
   * before it is shown, and when an answer of another device has ended that this page did not show. Without it, the
   * answer is shown after the messages that this page has, without the user's message.
   * @param chat the id of the chat, and a signal that aborts if the messages are no longer needed.
   * @default none
   */
  fetchMessages?:
    ((chat: { readonly id: string; readonly signal: AbortSignal }) => MaybePromise<MESSAGE[]>) | undefined;
}

export interface RemoteAnswersOptions<MESSAGE extends ChatMessage> {
  readonly chatId: string;
  /** Returns the chat, or undefined while its messages must not be replaced. */
  readonly chat: () => { messages: MESSAGE[] } | undefined;
  readonly options: () => ChatConnectionOptions<MESSAGE> & DeviceOptions<MESSAGE>;
  /** Called when an answer has begun on another device or in another tab. */
  readonly onBegan: (streamId: string) => void;
  /** Called when the page is visible again. @param missed the last turn that was postponed in the meantime. */
  readonly onVisible: (missed: Announced | undefined) => void;
  /**
   * Called when the page has been hidden for a while, unless it began its newest answer. The promise resolves when it is
   * visible again.
   */
  readonly onHidden: (visible: Promise<void>) => void;
}

/** Follows the answers of a chat on other devices, and ignores those that this page began or shows. */
export class RemoteAnswers<MESSAGE extends ChatMessage> {
  readonly #options: RemoteAnswersOptions<MESSAGE>;
  /** Streams that this page began or has shown. */
  readonly #known = new RecentNames(100);
  /** True if this page began its newest answer. The page reads such an answer to its end, even while it is hidden. */
  #isOwn = false;
  #stop: (() => void) | undefined;
  #isHidden = false;
  #missed: Announced | undefined;
  /** Cancels loading messages after an answer that this page did not show. */
  #loading: AbortController | undefined;

  constructor(options: RemoteAnswersOptions<MESSAGE>) {
    this.#options = options;
  }

  /**
   * Keeps a turn until the page is visible again, if it has been hidden for a while: a hidden page opens no
   * connections.
   * @returns false if the page is visible.
   */
  postpone(turn: Announced | undefined): boolean {
    if (this.#isHidden) this.#missed = turn ?? this.#missed;
    return this.#isHidden;
  }

  /** @param scope hash of the user's scope. */
  start(scope: string): void {
    const { chatId, options, onBegan, onVisible, onHidden } = this.#options;
    const { proxyUrl, credentials, onWarning, followDevices: isWanted } = options();
    this.stop();
    if (!isWanted) return;
    const request: typeof fetch = (input, init) => (options().fetch ?? fetch)(input, init);
    const storage = new MemoryStorage();
    const client = createDurableFetch({ proxyUrl, credentials, storage, fetch: request });
    let show: (() => void) | undefined;
    const stop = followDevices({
      name: `durable-proxy:follow:${scope}:${proxyUrl}:${chatId}`,
      follow: (init) => {
        const { proxyAuthorization, authorizationInQuery, heartbeatTimeoutMs, wake, debug } = options();
        const own = { proxyAuthorization, authorizationInQuery, heartbeatTimeoutMs, wake, debug };
        return client.follow(chatId, { ...own, ...init });
      },
      onStream: ({ streamId, state }: ReportedStream) => {
        if (this.#known.has(streamId)) return;
        if (state === 'closed') void this.#catchUp(streamId);
        else onBegan(streamId);
      },
      onVisible: (signal) => {
        this.#isHidden = false;
        show?.();
        if (show) onVisible(this.#missed);
        this.#missed = undefined;
        signal.addEventListener('abort', () => {
          this.#isHidden = true;
          const visible = new Promise<void>((resolve) => (show = resolve));
          if (!this.#isOwn) onHidden(visible);
        });
      },
      onWarning: (error) => onWarning?.(error),
    });
    this.#stop = () => {
      stop();
      show?.();
      this.#isHidden = false;
    };
  }

  stop(): void {
    this.cancelLoading();
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Called when the chat gets a newer message: messages of the app that arrive later do not replace it. */
  cancelLoading(): void {
    this.#loading?.abort();
  }

  /** Records the newest answer of this page. @param isOwn true if this page began it. */
  note(streamId: string | undefined, isOwn: boolean): void {
    this.#isOwn = isOwn;
    this.cancelLoading();
    if (streamId !== undefined) this.#known.add(streamId);
  }

  /** Returns true if this page began the answer, or has shown it. */
  isKnown(streamId: string | undefined): boolean {
    return streamId !== undefined && this.#known.has(streamId);
  }

  /**
   * Shows the messages that the app has stored, unless an answer begins in the meantime. Never rejects.
   * @returns true if they end with an answer.
   */
  async loadMessages(signal: AbortSignal): Promise<boolean> {
    const { chatId, options } = this.#options;
    try {
      const messages = await options().fetchMessages?.({ id: chatId, signal });
      const chat = signal.aborted ? undefined : this.#options.chat();
      if (!messages || !chat) return false;
      chat.messages = messages;
      return messages.at(-1)?.role === 'assistant';
    } catch (error) {
      if (!signal.aborted) options().onWarning?.(error as Error);
      return false;
    }
  }

  /** Shows the messages of the app after an answer has ended that this page did not show. */
  async #catchUp(streamId: string): Promise<void> {
    if (!this.#options.chat()) return;
    this.cancelLoading();
    this.#loading = new AbortController();
    if (await this.loadMessages(this.#loading.signal)) this.#known.add(streamId);
  }
}
