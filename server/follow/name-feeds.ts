import type { StreamKeys } from '../create/stream-keys.ts';
import type { Guardian } from '../peers/guardian.ts';
import type { Logger } from '../shared/logger.ts';
import { followUntil } from '../store/log.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StreamInfo, StreamStore } from '../store/types.ts';

export interface NameFeedsOptions {
  readonly streamKeys: Pick<StreamKeys, 'newest' | 'change'>;
  readonly store: Pick<StreamStore, 'head' | 'follow'>;
  readonly guardian: Pick<Guardian, 'reconcile' | 'watch'>;
  readonly logger: Logger;
}

/** A follower of a name in this process. */
export interface NameFollower {
  /** Called with the newest stream of the name, and with later states of streams. May report a state again. */
  onStream(streamId: string, info: StreamInfo, isNewest: boolean): void;
  /** Called once if the store failed. No other call follows. */
  onFailure(): void;
  /** Called once at shutdown. No other call follows. */
  onShutdown(): void;
}

/** The membership of a follower in a feed. */
export interface JoinedFeed {
  /** Reports the end of a stream, even if it is not the newest. */
  watch(streamId: string, info: StreamInfo): void;
  /** Ends following. Idempotent. */
  leave(): void;
}

/** The names that are followed in this process. The followers of a name share one feed, which queries the store. */
export class NameFeeds {
  readonly #options: NameFeedsOptions;
  readonly #feeds = new Map<string, NameFeed>();

  constructor(options: NameFeedsOptions) {
    this.#options = options;
  }

  /** Adds a follower, and reports the newest stream to it as soon as that is known. */
  join(subject: string | undefined, name: string, follower: NameFollower): JoinedFeed {
    const key = JSON.stringify([subject, name]);
    const onEmpty = () => this.#feeds.delete(key);
    const feed = this.#feeds.get(key) ?? new NameFeed(this.#options, { subject, name }, onEmpty);
    this.#feeds.set(key, feed);
    return feed.join(follower);
  }

  /** Ends all followers, so that they reconnect to another process. */
  close(): void {
    for (const feed of [...this.#feeds.values()]) feed.end((follower) => follower.onShutdown());
  }
}

interface FollowedName {
  readonly subject: string | undefined;
  readonly name: string;
}

class NameFeed {
  readonly #options: NameFeedsOptions;
  readonly #name: FollowedName;
  readonly #onEmpty: () => void;
  readonly #followers = new Set<NameFollower>();
  /** Open streams whose end is reported. */
  readonly #watched = new Set<string>();
  readonly #stop = new AbortController();
  /** Id of the newest stream, once it is known. */
  #newest: string | undefined;

  constructor(options: NameFeedsOptions, name: FollowedName, onEmpty: () => void) {
    this.#options = options;
    this.#name = name;
    this.#onEmpty = onEmpty;
    void this.#untilFailure(() => this.#followName());
  }

  join(follower: NameFollower): JoinedFeed {
    this.#followers.add(follower);
    const newest = this.#newest;
    if (newest !== undefined) void this.#untilFailure(() => this.#report(newest, [follower]));
    return {
      watch: (streamId, info) => this.#watch(streamId, info),
      leave: () => {
        if (this.#followers.delete(follower) && this.#followers.size === 0) this.end();
      },
    };
  }

  /** Ends the feed, and notifies the remaining followers. */
  end(notify?: (follower: NameFollower) => void): void {
    const followers = [...this.#followers];
    this.#followers.clear();
    this.#stop.abort();
    this.#onEmpty();
    for (const follower of followers) notify?.(follower);
  }

  async #followName(): Promise<void> {
    const { streamKeys } = this.#options;
    const { subject, name } = this.#name;
    const { signal } = this.#stop;
    for (;;) {
      const entry = await streamKeys.newest(subject, name, signal);
      this.#newest = entry?.streamId;
      if (entry) await this.#report(entry.streamId, this.#followers);
      await streamKeys.change(subject, name, entry, signal);
    }
  }

  /** Reports the state of a stream. A stream that was deleted is not reported. */
  async #report(streamId: string, to: Iterable<NameFollower>): Promise<void> {
    const { store, guardian } = this.#options;
    const found = await store.head(streamId);
    if (!found) return;
    const info = await guardian.reconcile(streamId, found);
    for (const follower of [...to]) follower.onStream(streamId, info, streamId === this.#newest);
    this.#watch(streamId, info);
  }

  #watch(streamId: string, info: StreamInfo): void {
    if (info.end || this.#watched.has(streamId) || this.#stop.signal.aborted) return;
    this.#watched.add(streamId);
    void this.#untilFailure(() => this.#reportEnd(streamId, info));
  }

  async #reportEnd(streamId: string, info: StreamInfo): Promise<void> {
    const { store, guardian } = this.#options;
    // Continues or closes the stream if its process dies.
    const release = guardian.watch(streamId, info);
    try {
      await followUntil(store, streamId, () => false, { signal: this.#stop.signal, offset: info.tail });
    } catch (error) {
      if (!isStoreError(error, 'NOT_FOUND')) throw error;
    } finally {
      release();
      this.#watched.delete(streamId);
    }
    await this.#report(streamId, this.#followers);
  }

  /** Ends the feed if the store fails. Never rejects. */
  async #untilFailure(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (err) {
      if (this.#stop.signal.aborted) return;
      this.#options.logger.warn({ err }, 'disconnected the followers of a name: the store failed');
      this.end((follower) => follower.onFailure());
    }
  }
}
